/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What insula-vm --describe said when Insula was built.
 *
 * Threads: constant.
 */
#pragma once

extern const char describe_text[];
