/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shapes of domain XML: which element and attribute fills which member of domain.h's structs,
 * and what is kept or refused.  docs/domain-xml.md is made from them.
 *
 * Threads: constant.
 * Read first: config/shape.h.
 */
#pragma once

#include "config/shape.h"

extern const XmlShape domain_shape;

/* Devices, by the element that says them. */
extern const XmlShape domain_disk_shape;
extern const XmlShape domain_controller_shape;
extern const XmlShape domain_interface_shape;
extern const XmlShape domain_serial_shape;
extern const XmlShape domain_console_shape;
extern const XmlShape domain_channel_shape;
extern const XmlShape domain_input_shape;
extern const XmlShape domain_graphics_shape;
extern const XmlShape domain_sound_shape;
extern const XmlShape domain_video_shape;
extern const XmlShape domain_redirdev_shape;
extern const XmlShape domain_hub_shape;
extern const XmlShape domain_watchdog_shape;
extern const XmlShape domain_balloon_shape;
extern const XmlShape domain_rng_shape;
extern const XmlShape domain_panic_shape;

/* <address>, by value. */
extern const XmlCustom domain_address_custom;
extern const XmlShape domain_char_source_shape;
/* <boot order> and <alias> of any device. */
extern const XmlShape domain_order_shape;
extern const XmlShape domain_alias_shape;
