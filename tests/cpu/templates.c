/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking the opcode tables, see templates.h.
 */
#include "templates.h"

#include "engine/dbt/guest/x86/tables.h"

static unsigned group_size(unsigned select)
{
    static const uint8_t sizes[] = {
        [SELECT_NONE] = 1,   [SELECT_REG] = 8,     [SELECT_RM] = 8,
        [SELECT_MOD] = 2,    [SELECT_REG_RM] = 64, [SELECT_PREFIX] = 4,
        [SELECT_MODE64] = 2, [SELECT_W] = 2,       [SELECT_L] = 2,
    };

    return sizes[select];
}

/* @template with what chooses row @index of a group. */
static Template narrowed(Template template, unsigned select, unsigned index)
{
    switch (select) {
    case SELECT_REG:
        template.reg = (int8_t)index;
        break;
    case SELECT_RM:
        template.rm = (int8_t)index;
        break;
    case SELECT_MOD:
        template.mod = (int8_t)index;
        break;
    case SELECT_REG_RM:
        template.reg = (int8_t)(index >> 3);
        template.rm = (int8_t)(index & 7);
        break;
    case SELECT_PREFIX:
        template.prefix = (int8_t)index;
        break;
    case SELECT_MODE64:
        template.mode64 = (int8_t)index;
        break;
    case SELECT_W:
        template.w = (int8_t)index;
        break;
    case SELECT_L:
        template.l = (int8_t)index;
        break;
    default:
        break;
    }
    return template;
}

static void walk(GArray *out, const X86Opcode *row, Template template)
{
    if (row->group) {
        for (unsigned i = 0; i < group_size(row->select); i++) {
            walk(out, &row->group[i], narrowed(template, row->select, i));
        }
    } else if (row->name) {
        template.row = row;
        g_array_append_val(out, template);
    }
}

static Template any_of(unsigned map, unsigned code)
{
    return (Template){ .map = (uint8_t)map,
                       .code = (uint8_t)code,
                       .prefix = ANY,
                       .mod = ANY,
                       .reg = ANY,
                       .rm = ANY,
                       .w = ANY,
                       .mode64 = ANY,
                       .l = ANY };
}

static void walk_map(GArray *out, unsigned map, const X86Opcode *rows,
                     const X86Opcode (*vectors)[4])
{
    for (unsigned code = 0; code < 256; code++) {
        const Template any = any_of(map, code);
        walk(out, &rows[code], any);
        for (unsigned prefix = 0; vectors && prefix < 4; prefix++) {
            Template with = any;
            with.prefix = (int8_t)prefix;
            walk(out, &vectors[code][prefix], with);
        }
    }
}

static void walk_vex(GArray *out, unsigned map)
{
    for (unsigned code = 0; code < 256; code++) {
        for (unsigned prefix = 0; prefix < 4; prefix++) {
            Template with = any_of(map, code);
            with.vex = true;
            with.prefix = (int8_t)prefix;
            walk(out, &x86_map_vex[map - 1][code][prefix], with);
        }
    }
}

GArray *templates_new(void)
{
    GArray *out = g_array_new(false, false, sizeof(Template));

    walk_map(out, 0, x86_map_one, NULL);
    walk_map(out, 1, x86_map_0f, x86_map_0f_vector);
    walk_map(out, 2, x86_map_0f38, x86_map_0f38_vector);
    walk_map(out, 3, x86_map_0f3a, x86_map_0f3a_vector);
    for (unsigned map = 1; map <= 3; map++) {
        walk_vex(out, map);
    }
    return out;
}
