/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF kernel, 32 or 64 bits, entered by PVH (Xen, docs/misc/pvh.pandoc and
 * xen/include/public/arch-x86/hvm/start_info.h): the note XEN_ELFNOTE_PHYS32_ENTRY names the
 * entry; EBX points to a start info with command line, modules and memory map.
 *
 * Segments go to their physical addresses.  Both ELF classes are read into one form first.
 */
#include <elf.h>
#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "machine/boot/plan.h"

enum { NOTE_PHYS32_ENTRY = 18 };
enum { START_MAGIC = 0x336ec578, START_VERSION = 1 };

/* What is behind BOOT_START_INFO: the info, one module, the memory map. */
enum { START_MODULES = BOOT_START_INFO + 0x100, START_MEMMAP = BOOT_START_INFO + 0x200 };

typedef struct PvhStartInfo {
    uint32_t magic, version, flags, n_modules;
    uint64_t modules, cmdline, rsdp, memmap;
    uint32_t n_memmap, reserved;
} PvhStartInfo;
_Static_assert(sizeof(PvhStartInfo) == 56, "start_info.h of Xen");

typedef struct PvhModule {
    uint64_t address, size, cmdline, reserved;
} PvhModule;
_Static_assert(sizeof(PvhModule) == 32, "start_info.h of Xen");

typedef struct PvhMemory {
    uint64_t address, size;
    uint32_t type, reserved;
} PvhMemory;
_Static_assert(sizeof(PvhMemory) == 24, "start_info.h of Xen");

/* A program header of either class. */
typedef struct Segment {
    uint32_t type;
    uint64_t offset, gpa, file_size, memory_size, align;
} Segment;

typedef struct ElfKernel {
    const BootFile *file;
    Segment segments[ELF_MAX_SEGMENTS];
    unsigned n_segments;
} ElfKernel;

static bool known(const uint8_t *head, size_t len)
{
    return len >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static bool refuse(const BootFile *file, const char *why, GError **error)
{
    set_error(error, "cannot load kernel '%s': %s", file->path, why);
    return false;
}

static void convert_segment(Segment *segment, const void *raw, bool is_64)
{
    if (is_64) {
        Elf64_Phdr p;
        memcpy(&p, raw, sizeof(p));
        *segment = (Segment){ p.p_type, p.p_offset, p.p_paddr, p.p_filesz, p.p_memsz, p.p_align };
    } else {
        Elf32_Phdr p;
        memcpy(&p, raw, sizeof(p));
        *segment = (Segment){ p.p_type, p.p_offset, p.p_paddr, p.p_filesz, p.p_memsz, p.p_align };
    }
}

/* Read the table of @n program headers at @offset. */
static bool read_segments(ElfKernel *elf, uint64_t offset, unsigned n, bool is_64, GError **error)
{
    size_t size = is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    uint8_t raw[ELF_MAX_SEGMENTS * sizeof(Elf64_Phdr)];

    if (n == 0 || n > ELF_MAX_SEGMENTS) {
        return refuse(elf->file, "it has no program headers, or too many", error);
    }
    if (!range_inside(offset, n * size, 0, elf->file->size)) {
        return refuse(elf->file, "it is truncated: its program headers lie behind its end", error);
    }
    if (!boot_file_read(elf->file, offset, raw, n * size, error)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        convert_segment(&elf->segments[i], raw + i * size, is_64);
    }
    elf->n_segments = n;
    return true;
}

/* Read the ELF header, of either class, and the program headers. */
static bool read_headers(ElfKernel *elf, GError **error)
{
    union {
        uint8_t ident[EI_NIDENT];
        Elf32_Ehdr e32;
        Elf64_Ehdr e64;
    } head = { 0 };

    if (elf->file->size < sizeof(head.e32)) {
        return refuse(elf->file, "it is truncated", error);
    }
    if (!boot_file_read(elf->file, 0, &head, MIN(elf->file->size, sizeof(head)), error)) {
        return false;
    }
    bool is_64 = head.ident[EI_CLASS] == ELFCLASS64;
    if (is_64 && elf->file->size < sizeof(head.e64)) {
        return refuse(elf->file, "it is truncated", error);
    }
    if ((!is_64 && head.ident[EI_CLASS] != ELFCLASS32) || head.ident[EI_DATA] != ELFDATA2LSB) {
        return refuse(elf->file, "it is a malformed or big-endian ELF file", error);
    }
    /* type and machine stand at the same place in both classes */
    if (head.e64.e_machine != EM_X86_64 && head.e64.e_machine != EM_386) {
        return refuse(elf->file, "it is for another kind of CPU than x86", error);
    }
    unsigned entry_size = is_64 ? head.e64.e_phentsize : head.e32.e_phentsize;
    if (entry_size != (is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr))) {
        return refuse(elf->file, "it has no program headers: it is not an executable", error);
    }
    return is_64 ? read_segments(elf, head.e64.e_phoff, head.e64.e_phnum, true, error)
                 : read_segments(elf, head.e32.e_phoff, head.e32.e_phnum, false, error);
}

/* Look for the entry among @len bytes of notes. */
static bool find_entry_note(const uint8_t *notes, size_t len, uint64_t align, uint64_t *ret_entry)
{
    size_t pad = align == 8 ? 8 : 4;
    size_t at = 0;

    while (len - at >= sizeof(Elf32_Nhdr)) {
        Elf32_Nhdr note;
        memcpy(&note, notes + at, sizeof(note));
        size_t name = at + sizeof(note);
        if (note.n_namesz > len - name) {
            return false;
        }
        size_t desc = align_up(name + note.n_namesz, pad);
        if (desc > len || note.n_descsz > len - desc) {
            return false;
        }
        if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == 4 &&
            !memcmp(notes + name, "Xen", 4) && (note.n_descsz == 4 || note.n_descsz == 8)) {
            *ret_entry = note.n_descsz == 4 ? load_le32(notes + desc) : load_le64(notes + desc);
            return true;
        }
        at = MIN(align_up(desc + note.n_descsz, pad), len);
    }
    return false;
}

static bool find_entry(const ElfKernel *elf, uint64_t *ret_entry, GError **error)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const Segment *segment = &elf->segments[i];
        if (segment->type != PT_NOTE || !segment->file_size) {
            continue;
        }
        if (segment->file_size > ELF_MAX_NOTES ||
            !range_inside(segment->offset, segment->file_size, 0, elf->file->size)) {
            return refuse(elf->file, "its notes are too large, or lie behind its end", error);
        }
        g_autofree uint8_t *notes = g_malloc(segment->file_size);
        if (!boot_file_read(elf->file, segment->offset, notes, segment->file_size, error)) {
            return false;
        }
        if (find_entry_note(notes, segment->file_size, segment->align, ret_entry)) {
            return true;
        }
    }
    return refuse(elf->file,
                  "this ELF file has no PVH entry (note XEN_ELFNOTE_PHYS32_ENTRY): use the "
                  "bzImage, or a kernel built with CONFIG_PVH",
                  error);
}

/* Plan the segments; sets whether one of them holds @entry. */
static bool plan_segments(BootPlan *plan, const ElfKernel *elf, uint64_t entry, GError **error)
{
    bool entry_loaded = false;

    for (unsigned i = 0; i < elf->n_segments; i++) {
        const Segment *segment = &elf->segments[i];
        if (segment->type != PT_LOAD || !segment->memory_size) {
            continue;
        }
        if (segment->file_size > segment->memory_size) {
            return refuse(elf->file, "a segment has more bytes in the file than in memory", error);
        }
        if (!range_inside(segment->offset, segment->file_size, 0, elf->file->size)) {
            return refuse(elf->file, "it is truncated: a segment lies behind its end", error);
        }
        BootPiece piece = {
            .file = elf->file,
            .gpa = segment->gpa,
            .size = segment->memory_size,
            .file_offset = segment->offset,
            .file_size = segment->file_size,
            .zero = true,
        };
        if (!boot_plan_add(plan, &piece, error)) {
            return false;
        }
        entry_loaded |= range_inside(entry, 1, segment->gpa, segment->memory_size);
    }
    if (!entry_loaded || entry >> 32) {
        return refuse(elf->file, "its PVH entry lies outside what it loads", error);
    }
    return true;
}

static bool make_plan(BootPlan *plan, BootEntry *ret_entry, GError **error)
{
    g_autofree ElfKernel *elf = g_new0(ElfKernel, 1);
    uint64_t entry = 0;

    elf->file = plan->image->kernel;
    if (!read_headers(elf, error) || !find_entry(elf, &entry, error) ||
        !plan_segments(plan, elf, entry, error)) {
        return false;
    }
    plan->initrd_max = UINT32_MAX;
    plan->max_cmdline = BOOT_MAX_CMDLINE;
    *ret_entry = (BootEntry){ .rip = entry, .rbx = BOOT_START_INFO };
    return true;
}

static void finish(const BootPlan *plan, GuestMemory *memory)
{
    const BootImage *image = plan->image;
    PvhStartInfo info = {
        .magic = START_MAGIC,
        .version = START_VERSION,
        .n_modules = image->initrd ? 1 : 0,
        .modules = image->initrd ? START_MODULES : 0,
        .cmdline = BOOT_CMDLINE,
        .rsdp = plan->map->rsdp,
        .memmap = START_MEMMAP,
        .n_memmap = plan->map->n_ranges,
    };

    gm_write(memory, BOOT_START_INFO, &info, sizeof(info));
    if (image->initrd) {
        PvhModule module = { .address = plan->initrd_gpa, .size = image->initrd->size };
        gm_write(memory, START_MODULES, &module, sizeof(module));
    }
    for (unsigned i = 0; i < plan->map->n_ranges; i++) {
        const BootRange *range = &plan->map->ranges[i];
        PvhMemory entry = { .address = range->base, .size = range->size, .type = range->type };
        gm_write(memory, START_MEMMAP + i * sizeof(entry), &entry, sizeof(entry));
    }
}

const BootLoader elf_loader = {
    .name = "ELF (PVH)",
    .known = known,
    .plan = make_plan,
    .finish = finish,
};
