/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk may have, see model.h.
 */
#include "model.h"

#include <string.h>

#include "common/bits.h"

enum { WORDS = BLK_SECTOR / 8 };
#define NUMBER_GARBAGE UINT32_MAX

void model_init(Model *model, uint32_t sectors, uint32_t base)
{
    memset(model, 0, sizeof(*model));
    model->sectors = model->durable_sectors = sectors;
    model->next_number = MODEL_BASE + 1;
    for (uint32_t i = 0; i < MIN(base, sectors); i++) {
        model->now[i] = model->durable[i] = MODEL_BASE;
    }
}

void model_fill(void *bytes, uint32_t first, uint32_t n, uint32_t number)
{
    uint8_t *to = bytes;

    for (uint32_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < WORDS; k++, to += 8) {
            store_le64(to, number ? (uint64_t)number << 32 | (first + i) : 0);
        }
    }
}

uint32_t model_number(const uint8_t *bytes, uint32_t sector)
{
    uint64_t word = load_le64(bytes);

    for (unsigned k = 1; k < WORDS; k++) {
        if (load_le64(bytes + k * 8) != word) {
            return NUMBER_GARBAGE;
        }
    }
    if (!word) {
        return 0;
    }
    return (uint32_t)word == sector && word >> 32 ? (uint32_t)(word >> 32) : NUMBER_GARBAGE;
}

/* --- what is done --- */

static ModelOp begin(Model *model, ModelOp op)
{
    g_assert(model->n_ops < MODEL_OPS);
    model->ops[model->n_ops] = op;
    /* in this order, for who looks after we were killed */
    __atomic_store_n(&model->n_ops, model->n_ops + 1, __ATOMIC_SEQ_CST);
    return op;
}

ModelOp model_begin_write(Model *model, uint32_t first, uint32_t n, bool zeros)
{
    ModelOp op = { .first = first, .n = n, .number = zeros ? 0 : model->next_number++ };

    return begin(model, op);
}

ModelOp model_begin_resize(Model *model, uint32_t sectors)
{
    uint32_t first = MIN(sectors, model->sectors);
    ModelOp op = { .first = first, .n = MODEL_SECTORS - first, .sectors = sectors };

    return begin(model, op);
}

ModelOp model_begin_restore(Model *model)
{
    ModelOp op = { .n = MODEL_SECTORS, .restore = true, .sectors = model->saved_sectors };

    model->saved_in_use = true;
    return begin(model, op);
}

static uint32_t number_by(const Model *model, const ModelOp *op, uint32_t sector)
{
    return op->restore ? model->saved[sector] : op->number;
}

void model_done(Model *model, const ModelOp *op)
{
    for (uint32_t i = op->first; i < op->first + op->n; i++) {
        model->now[i] = number_by(model, op, i);
    }
    model->sectors = op->sectors ? op->sectors : model->sectors;
}

void model_flushed(Model *model)
{
    memcpy(model->durable, model->now, sizeof(model->now));
    model->durable_sectors = model->sectors;
    model->saved_in_use = false;
    __atomic_store_n(&model->n_ops, 0, __ATOMIC_SEQ_CST);
}

void model_set_snapshot(Model *model, ModelSnapshot snapshot)
{
    model->saved_in_use = true;
    __atomic_store_n(&model->snapshot, snapshot, __ATOMIC_SEQ_CST);
}

/* --- what is there --- */

static bool may_be(const Model *model, uint32_t sector, uint32_t number)
{
    bool may = number == model->durable[sector];

    for (uint32_t i = 0; i < model->n_ops && !may; i++) {
        const ModelOp *op = &model->ops[i];
        may = sector >= op->first && sector < op->first + op->n &&
              number == number_by(model, op, sector);
    }
    return may;
}

static bool may_have_size(const Model *model, uint32_t sectors)
{
    bool may = sectors == model->durable_sectors;

    for (uint32_t i = 0; i < model->n_ops; i++) {
        may = may || sectors == model->ops[i].sectors;
    }
    return may;
}

/* Each sector's number; NULL: it can't be read. */
static uint32_t *read_numbers(Blk *blk, char **ret_wrong)
{
    uint32_t sectors = (uint32_t)(blk_size(blk) / BLK_SECTOR);
    g_autofree uint8_t *bytes = g_malloc(blk_size(blk));
    int result = sectors <= MODEL_SECTORS ? blk_read(blk, 0, bytes, blk_size(blk)) : -EFBIG;

    if (result) {
        const char *broken = blk_broken(blk);
        *ret_wrong = g_strdup_printf("the disk of %u sectors can't be read: %s%s%s", sectors,
                                     g_strerror(-result), broken ? "; " : "", broken ? broken : "");
        return NULL;
    }
    uint32_t *numbers = g_new0(uint32_t, MODEL_SECTORS);
    for (uint32_t i = 0; i < sectors; i++) {
        numbers[i] = model_number(bytes + (size_t)i * BLK_SECTOR, i);
    }
    return numbers;
}

char *model_adopt(Model *model, Blk *blk)
{
    char *wrong = NULL;
    g_autofree uint32_t *numbers = read_numbers(blk, &wrong);
    uint32_t sectors = (uint32_t)(blk_size(blk) / BLK_SECTOR);

    if (!numbers) {
        return wrong;
    }
    if (!may_have_size(model, sectors)) {
        return g_strdup_printf("the disk has %u sectors", sectors);
    }
    for (uint32_t i = 0; i < sectors; i++) {
        /* a discard may leave what was there, or zeros */
        if (numbers[i] != model->now[i] && !may_be(model, i, numbers[i])) {
            return g_strdup_printf("sector %u has write %u, which it never had", i, numbers[i]);
        }
        model->now[i] = numbers[i];
    }
    model->sectors = sectors;
    return NULL;
}

static char *compare_with(Blk *blk, const uint32_t *expected, uint32_t sectors)
{
    char *wrong = NULL;
    g_autofree uint32_t *numbers = read_numbers(blk, &wrong);

    if (!numbers) {
        return wrong;
    }
    if (blk_size(blk) / BLK_SECTOR != sectors) {
        return g_strdup_printf("%" G_GUINT64_FORMAT " sectors, not %u", blk_size(blk) / BLK_SECTOR,
                               sectors);
    }
    for (uint32_t i = 0; i < sectors; i++) {
        if (numbers[i] != expected[i]) {
            return g_strdup_printf("sector %u has write %u, not %u", i, numbers[i], expected[i]);
        }
    }
    return NULL;
}

char *model_compare(const Model *model, Blk *blk)
{
    return compare_with(blk, model->now, model->sectors);
}

/* --- after a crash --- */

static char *compare_crashed(const Model *model, Blk *blk)
{
    char *wrong = NULL;
    g_autofree uint32_t *numbers = read_numbers(blk, &wrong);
    uint32_t sectors = (uint32_t)(blk_size(blk) / BLK_SECTOR);

    if (!numbers) {
        return wrong;
    }
    if (!may_have_size(model, sectors)) {
        return g_strdup_printf("the disk has %u sectors", sectors);
    }
    for (uint32_t i = 0; i < sectors; i++) {
        if (!may_be(model, i, numbers[i])) {
            return g_strdup_printf("sector %u has write %u, and had %u at the last flush", i,
                                   numbers[i], model->durable[i]);
        }
    }
    return NULL;
}

static char *check_snapshot(const Model *model, Blk *blk, BlkOptions options)
{
    g_autoptr(GError) error = NULL;
    BlkInfo info;

    blk_info(blk, &info);
    bool there = info.snapshots && info.snapshots->len;
    blk_info_clear(&info);
    bool perhaps = model->snapshot == MODEL_PERHAPS || (!model->exact && model->saved_in_use);
    if (!perhaps && there != (model->snapshot == MODEL_THERE)) {
        return g_strdup(there ? "a snapshot is back" : "the snapshot is gone");
    }
    if (!there) {
        return NULL;
    }
    options.snapshot = "one";
    options.read_only = true;
    options.lock = BLK_LOCK_NONE; /* we have it open ourselves */
    g_autoptr(Blk) old = blk_open(&options, &error);
    if (!old) {
        return g_strdup(error->message);
    }
    char *wrong = compare_with(old, model->saved, model->saved_sectors);
    if (wrong) {
        char *whole = g_strdup_printf("snapshot: %s", wrong);
        g_free(wrong);
        wrong = whole;
    }
    return wrong;
}

static void keep_first(void *opaque, const char *text)
{
    char **first = opaque;

    *first = *first ? *first : g_strdup(text);
}

static char *check_counts(Blk *blk, BlkRepair repair, unsigned *leaks)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *first = NULL;
    BlkCheck check = { .report = keep_first, .opaque = &first };

    if (!blk_check(blk, repair, &check, &error)) {
        return g_strdup_printf("no check: %s", error->message);
    }
    *leaks += (unsigned)(check.leaks + check.leaks_fixed);
    if (check.corruptions || check.corruptions_fixed || blk_broken(blk)) {
        return g_strdup_printf("%s", first ? first : "broken");
    }
    return NULL;
}

char *model_check_crashed(const Model *model, const BlkOptions *options, unsigned *leaks)
{
    g_autoptr(GError) error = NULL;
    unsigned left = 0;
    g_autoptr(Blk) blk = blk_open(options, &error);

    if (!blk) {
        return g_strdup_printf("%s", error->message);
    }
    char *wrong = check_counts(blk, BLK_REPAIR_LEAKS, leaks);
    wrong = wrong ? wrong : compare_crashed(model, blk);
    wrong = wrong ? wrong : check_snapshot(model, blk, *options);
    wrong = wrong ? wrong : check_counts(blk, BLK_REPAIR_NOTHING, &left);
    return wrong || !left ? wrong : g_strdup("lost room stays lost");
}
