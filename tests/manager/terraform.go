// SPDX-License-Identifier: GPL-2.0-or-later

// The calls that Terraform's libvirt provider makes, in its order, on Debian's go-libvirt:
//
//	terraform SOCKET NAME FOLDER
//
// NAME is what the connection is opened as ("qemu:///session").  Prints a line of TAP for each.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	libvirt "github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
)

var number, failed int

func ok(name string, err error) {
	number++
	if err != nil {
		failed++
		fmt.Printf("not ok %d - %s\n# %v\n", number, name, err)
	} else {
		fmt.Printf("ok %d - %s\n", number, name)
	}
}

func is(what bool, text string, more ...interface{}) error {
	if what {
		return nil
	}
	return errors.New(fmt.Sprintf(text, more...))
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func host(l *libvirt.Libvirt) {
	version, err := l.ConnectGetLibVersion()
	ok("ConnectGetLibVersion", first(err, is(version > 1000000, "version %d", version)))
	_, _, cpus, _, _, _, _, _, err := l.NodeGetInfo()
	ok("NodeGetInfo", first(err, is(cpus > 0, "%d CPUs", cpus)))
	devices, err := l.NodeNumOfDevices(nil, 0)
	ok("NodeNumOfDevices", first(err, is(devices > 0, "%d devices", devices)))
	_, _, err = l.ConnectListAllDomains(1, 0)
	ok("ConnectListAllDomains", err)
	_, _, err = l.ConnectListAllNetworks(1, 0)
	ok("ConnectListAllNetworks", err)
	_, _, err = l.ConnectListAllStoragePools(1, 0)
	ok("ConnectListAllStoragePools", err)
}

func storage(l *libvirt.Libvirt, folder string) libvirt.StorageVol {
	xml := "<pool type='dir'><name>tf</name><target><path>" + folder + "/tf</path></target></pool>"
	pool, err := l.StoragePoolDefineXML(xml, 0)
	ok("StoragePoolDefineXML", err)
	ok("StoragePoolBuild", l.StoragePoolBuild(pool, 0))
	ok("StoragePoolSetAutostart", l.StoragePoolSetAutostart(pool, 1))
	ok("StoragePoolCreate", l.StoragePoolCreate(pool, 0))
	ok("StoragePoolRefresh", l.StoragePoolRefresh(pool, 0))
	found, err := l.StoragePoolLookupByName("tf")
	ok("StoragePoolLookupByName", first(err, is(found.UUID == pool.UUID, "another pool")))
	found, err = l.StoragePoolLookupByUUID(pool.UUID)
	ok("StoragePoolLookupByUUID", first(err, is(found.Name == "tf", "pool %s", found.Name)))
	state, capacity, _, available, err := l.StoragePoolGetInfo(pool)
	ok("StoragePoolGetInfo", first(err, is(state == 2 && capacity >= available && available > 0,
		"state %d, %d of %d bytes", state, available, capacity)))
	text, err := l.StoragePoolGetXMLDesc(pool, 0)
	ok("StoragePoolGetXMLDesc", first(err, is(strings.Contains(text, folder+"/tf"), text)))
	auto, err := l.StoragePoolGetAutostart(pool)
	ok("StoragePoolGetAutostart", first(err, is(auto == 1, "%d", auto)))

	image := bytes.Repeat([]byte("what the disk has "), 1<<17)
	xml = fmt.Sprintf("<volume><name>disk.raw</name><capacity>%d</capacity>"+
		"<target><format type='raw'/></target></volume>", len(image))
	volume, err := l.StorageVolCreateXML(pool, xml, 0)
	ok("StorageVolCreateXML", err)
	ok("StorageVolUpload", l.StorageVolUpload(volume, bytes.NewReader(image), 0,
		uint64(len(image)), 0))
	var back bytes.Buffer
	err = l.StorageVolDownload(volume, &back, 0, 0, 0)
	ok("StorageVolDownload", first(err, is(sha256.Sum256(back.Bytes()) == sha256.Sum256(image),
		"%d bytes, and others than the %d that were sent", back.Len(), len(image))))
	same, err := l.StorageVolLookupByKey(volume.Key)
	ok("StorageVolLookupByKey", first(err, is(same.Name == "disk.raw", "volume %s", same.Name)))
	text, err = l.StorageVolGetXMLDesc(volume, 0)
	ok("StorageVolGetXMLDesc", first(err, is(strings.Contains(text, "disk.raw"), text)))
	volumes, _, err := l.StoragePoolListAllVolumes(pool, 1, 0)
	ok("StoragePoolListAllVolumes", first(err, is(len(volumes) == 1, "%d volumes", len(volumes))))
	return volume
}

func dropStorage(l *libvirt.Libvirt, volume libvirt.StorageVol) {
	pool, err := l.StoragePoolLookupByName("tf")
	ok("StorageVolDelete", first(err, l.StorageVolDelete(volume, 0)))
	ok("StoragePoolDestroy", l.StoragePoolDestroy(pool))
	ok("StoragePoolDelete", l.StoragePoolDelete(pool, 0))
	ok("StoragePoolUndefine", l.StoragePoolUndefine(pool))
	_, err = l.StoragePoolLookupByName("tf")
	var refused libvirt.Error
	ok("StoragePoolLookupByName, gone",
		is(errors.As(err, &refused) && refused.Code == 49, "%v", err))
}

func network(l *libvirt.Libvirt, start bool) {
	net, err := l.NetworkDefineXML("<network><name>tfnet</name><forward mode='nat'/>" +
		"<bridge name='tf0'/></network>")
	ok("NetworkDefineXML", err)
	found, err := l.NetworkLookupByUUID(net.UUID)
	ok("NetworkLookupByUUID", first(err, is(found.Name == "tfnet", "network %s", found.Name)))
	if start {
		ok("NetworkSetAutostart", l.NetworkSetAutostart(net, 1))
		_, err = l.NetworkGetAutostart(net)
		ok("NetworkGetAutostart", err)
		ok("NetworkCreate", l.NetworkCreate(net))
		active, err := l.NetworkIsActive(net)
		ok("NetworkIsActive", first(err, is(active == 1, "%d", active)))
		ok("NetworkDestroy", l.NetworkDestroy(net))
	}
	text, err := l.NetworkGetXMLDesc(net, 0)
	ok("NetworkGetXMLDesc", first(err, is(strings.Contains(text, "tfnet"), text)))
	ok("NetworkUndefine", l.NetworkUndefine(net))
}

func domain(l *libvirt.Libvirt, volume libvirt.StorageVol) {
	dom, err := l.DomainDefineXML("<domain type='qemu'><name>tf</name><memory>65536</memory>" +
		"<vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>" +
		"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='" +
		volume.Key + "'/><target dev='vda' bus='virtio'/></disk>" +
		"<interface type='user'><model type='virtio'/></interface></devices></domain>")
	ok("DomainDefineXML", err)
	ok("DomainSetAutostart", l.DomainSetAutostart(dom, 1))
	auto, err := l.DomainGetAutostart(dom)
	ok("DomainGetAutostart", first(err, is(auto == 1, "%d", auto)))
	ok("DomainCreate", l.DomainCreate(dom))
	found, err := l.DomainLookupByUUID(dom.UUID)
	ok("DomainLookupByUUID", first(err, is(found.ID > 0, "id %d", found.ID)))
	found, err = l.DomainLookupByName("tf")
	ok("DomainLookupByName", first(err, is(found.UUID == dom.UUID, "another domain")))
	state, _, err := l.DomainGetState(dom, 0)
	ok("DomainGetState", first(err, is(state == 1, "state %d", state)))
	text, err := l.DomainGetXMLDesc(dom, 0)
	ok("DomainGetXMLDesc", first(err, is(strings.Contains(text, volume.Key), text)))
	_, err = l.DomainInterfaceAddresses(dom, 0, 0)
	var refused libvirt.Error
	ok("DomainInterfaceAddresses", is(err == nil || errors.As(err, &refused), "%v", err))
	ok("DomainShutdown", l.DomainShutdown(dom))
	time.Sleep(100 * time.Millisecond)
	err = l.DomainDestroyFlags(dom, 0)
	state, _, stateErr := l.DomainGetState(dom, 0)
	ok("DomainDestroyFlags", first(stateErr, is(state == 5, "%v, state %d", err, state)))
	again, err := l.DomainCreateWithFlags(dom, 1)
	ok("DomainCreateWithFlags", first(err, is(again.ID > 0, "id %d", again.ID)))
	ok("DomainDestroy", l.DomainDestroy(dom))
	ok("DomainUndefineFlags", l.DomainUndefineFlags(dom, 4))
	_, err = l.DomainLookupByName("tf")
	ok("DomainLookupByName, gone", is(libvirt.IsNotFound(err), "%v", err))
}

func main() {
	l := libvirt.NewWithDialer(dialers.NewLocal(dialers.WithSocket(os.Args[1])))
	if err := l.ConnectToURI(libvirt.ConnectURI(os.Args[2])); err != nil {
		fmt.Printf("Bail out! %v\n", err)
		os.Exit(1)
	}
	host(l)
	volume := storage(l, os.Args[3])
	network(l, len(os.Args) < 5)
	domain(l, volume)
	dropStorage(l, volume)
	ok("Disconnect", l.Disconnect())
	fmt.Printf("1..%d\n", number)
	if failed > 0 {
		os.Exit(1)
	}
}
