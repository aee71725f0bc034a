/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine on /dev/kvm.
 */
#pragma once

#include "engine/engine.h"

extern const Engine kvm_engine;
