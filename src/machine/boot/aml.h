/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes AML, the byte code of ACPI tables (ACPI 6.5, chapter 20), into a growing array.
 *
 * What encloses other things is begun and ended; the end fills in the length:
 *
 *   size_t device = aml_begin_device(aml, "COM1");
 *   aml_name_eisa(aml, "_HID", "PNP0501");
 *   aml_end(aml, device);
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names are exactly four characters; one may have a leading backslash. */
size_t aml_begin_scope(GByteArray *aml, const char *name);
size_t aml_begin_device(GByteArray *aml, const char *name);
void aml_end(GByteArray *aml, size_t begun);

void aml_name_integer(GByteArray *aml, const char *name, uint32_t value);
void aml_name_string(GByteArray *aml, const char *name, const char *value);
/* @id as in "PNP0501". */
void aml_name_eisa(GByteArray *aml, const char *name, const char *id);
/* A package of @n integers. */
void aml_name_package(GByteArray *aml, const char *name, const uint8_t *values, uint8_t n);

/* A package of @n elements, which follow: numbers, or packages again. */
size_t aml_begin_package(GByteArray *aml, uint8_t n);
void aml_integer(GByteArray *aml, uint32_t value);
/* A name that stands for what begins now, such as a package. */
void aml_name(GByteArray *aml, const char *name);

/* A method of @args arguments; what it does: */
size_t aml_begin_method(GByteArray *aml, const char *name, unsigned args);
void aml_return_name(GByteArray *aml, const char *name);
void aml_return_argument(GByteArray *aml, unsigned argument);
void aml_store_argument(GByteArray *aml, unsigned argument, const char *name);
/* Tell the device @name in \\_SB of @value. */
void aml_notify(GByteArray *aml, const char *name, uint32_t value);
size_t aml_begin_if(GByteArray *aml, const char *name); /* is not 0 */

/* _CRS: begin, resources, end. */
typedef struct AmlResources {
    GByteArray *bytes;
} AmlResources;

AmlResources aml_begin_resources(void);
void aml_resource_io(AmlResources *r, uint16_t port, uint8_t len);
/* An edge-triggered ISA interrupt. */
void aml_resource_irq(AmlResources *r, unsigned irq);
void aml_resource_memory32(AmlResources *r, uint32_t base, uint32_t len);
/* A level-triggered, active-high, shared interrupt by its global number. */
void aml_resource_interrupt(AmlResources *r, uint32_t gsi);
/* What a bus hands on: its numbers, ports, memory; the last address is included. */
void aml_resource_buses(AmlResources *r, uint16_t first, uint16_t last);
void aml_resource_port_window(AmlResources *r, uint16_t first, uint16_t last);
void aml_resource_memory_window(AmlResources *r, uint64_t first, uint64_t last);
/* Writes "_CRS" with all of it, and frees @r's bytes. */
void aml_end_resources(GByteArray *aml, AmlResources *r);
