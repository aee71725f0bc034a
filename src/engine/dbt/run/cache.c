/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of translated blocks, see cache.h.
 */
#include "engine/dbt/run/cache.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/bits.h"
#include "common/error.h"

enum {
    HASH_BITS = 17,
    GRANULE = 64, /* bytes per bit of a page's map of code */
    /* A page without blocks that is stored to so often holds data now.  To make it code again takes
     * a look at all TLBs, so each time the page is given twice as long to show what it is. */
    IDLE_STORES = 32,
    IDLE_STORES_MAX = 1024,
    BESIDE = 64, /* times as many, if there are blocks beside them */
    SEEN_BITS = 19,
};

/* A page of RAM that holds code, or did.  Never freed: it will hold code again. */
typedef struct CodePage {
    uint64_t map;           /* atomic: a bit per granule that some block covers */
    bool is_code;           /* atomic; set in exclusive sections, cleared under code_lock */
    unsigned idle;          /* atomic: stores since the last block */
    unsigned patience;      /* atomic: so many of them make it data */
    Block *blocks;          /* lock */
    struct CodePage *other; /* lock; the one that was made before this */
} CodePage;

/* Pages of a range of addresses where RAM may be. */
typedef struct PageTable {
    uint64_t gpa, size;
    CodePage **pages; /* atomic; a lazily touched anonymous mapping, NULL where no code was */
    size_t bytes;
} PageTable;

typedef struct Range {
    uint64_t gpa, len;
} Range;

/* Blocks by hash, a bit each. */
typedef struct Seen {
    uint64_t bits[(1 << SEEN_BITS) / 64];
} Seen;

struct BlockCache {
    /* fixed after create */
    uint8_t *arena;
    size_t limit;
    const Backend *backend; /* NULL: blocks stay IR */
    void *code;
    bool check, check_forever; /* blocks keep their IR and are armed */
    unsigned n_tables;
    PageTable *tables;
    /* atomic */
    uint64_t flushes;
    uint64_t translating[2]; /* pages whose bytes are being read, or GPA_NONE */
    /* held while bytes of code pages are read for translation, and while what was made of them is
     * dropped because they changed */
    pthread_mutex_t code_lock;
    /* lock: lock, taken inside code_lock */
    pthread_mutex_t lock;
    size_t used;
    CodePage *pages;     /* all there are */
    size_t size;         /* room for code now */
    bool full;           /* something did not fit */
    Seen seen, before;   /* blocks since the last flush, and between that and the one before */
    unsigned added, old; /* blocks since; those of them that are in .before */
    Block *hash[1 << HASH_BITS]; /* atomic to readers */
    /* lock: written_lock */
    pthread_mutex_t written_lock;
    unsigned n_written;
    bool written_all;
    Range written[CACHE_MAX_WRITTEN];
};

static bool table_init(PageTable *table, uint64_t gpa, uint64_t size, GError **error)
{
    table->gpa = gpa;
    table->size = size;
    table->bytes = size / PAGE_SIZE * sizeof(CodePage *);
    table->pages = mmap(NULL, table->bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table->pages == MAP_FAILED) {
        table->pages = NULL;
        set_error_errno(error, errno, "cannot map the table of code pages");
        return false;
    }
    return true;
}

/* At a low address if there is room: compiled code then names blocks by 32 bits. */
static uint8_t *map_arena(size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *arena = MAP_FAILED;

#ifdef MAP_32BIT
    arena = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_32BIT, -1, 0);
#endif
    if (arena == MAP_FAILED) {
        arena = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    }
    if (arena == MAP_FAILED) {
        return NULL;
    }
    madvise(arena, size, MADV_HUGEPAGE); /* it is filled from its begin on */
    return arena;
}

/* One table for the first 4 GiB, where ROM and RAM come and go, and one for each range of RAM
 * beyond. */
static bool add_tables(BlockCache *cache, const GuestMemory *memory, GError **error)
{
    const uint64_t low = UINT64_C(1) << 32;
    uint64_t gpa = 0, size = low;
    RamRange ram;

    for (bool more = true; more; more = gm_next_ram(memory, gpa, &ram)) {
        if (gpa) {
            gpa = ram.gpa;
            size = ram.size;
        }
        cache->tables = g_renew(PageTable, cache->tables, cache->n_tables + 1);
        if (!table_init(&cache->tables[cache->n_tables], gpa, size, error)) {
            return false;
        }
        cache->n_tables++;
        gpa += size;
    }
    return true;
}

BlockCache *cache_new(GuestMemory *memory, size_t limit, GError **error)
{
    BlockCache *cache = g_new0(BlockCache, 1);

    pthread_mutex_init(&cache->code_lock, NULL);
    pthread_mutex_init(&cache->lock, NULL);
    pthread_mutex_init(&cache->written_lock, NULL);
    cache->translating[0] = cache->translating[1] = GPA_NONE;
    if (!add_tables(cache, memory, error)) {
        cache_free(cache);
        return NULL;
    }
    cache->limit = limit ? MAX(limit, CACHE_LIMIT_MIN) : CACHE_LIMIT;
    cache->size = MIN(cache->limit, CACHE_FIRST);
    cache->arena = map_arena(cache->limit);
    if (!cache->arena) {
        set_error_errno(error, errno, "cannot map %zu MiB for translated code", cache->limit >> 20);
        cache_free(cache);
        return NULL;
    }
    return cache;
}

void cache_free(BlockCache *cache)
{
    if (!cache) {
        return;
    }
    for (unsigned i = 0; i < cache->n_tables; i++) {
        munmap(cache->tables[i].pages, cache->tables[i].bytes);
    }
    for (CodePage *page = cache->pages; page;) {
        CodePage *other = page->other;
        g_free(page);
        page = other;
    }
    if (cache->arena) {
        munmap(cache->arena, cache->limit);
    }
    pthread_mutex_destroy(&cache->code_lock);
    pthread_mutex_destroy(&cache->lock);
    pthread_mutex_destroy(&cache->written_lock);
    g_free(cache->tables);
    g_free(cache);
}

void cache_set_backend(BlockCache *cache, const Backend *backend, void *code)
{
    cache->backend = backend->compile ? backend : NULL;
    cache->code = code;
    if (cache->backend) {
        backend->code_resize(code, cache->size);
    }
}

size_t cache_limit(const BlockCache *cache)
{
    return cache->limit;
}

size_t cache_size(BlockCache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t size = cache->size;
    pthread_mutex_unlock(&cache->lock);
    return size;
}

void cache_set_check(BlockCache *cache, bool forever)
{
    cache->check = true;
    cache->check_forever = forever;
}

void cache_checked(BlockCache *cache, Block *block)
{
    pthread_mutex_lock(&cache->lock);
    if (!block->dead && !cache->check_forever && !block->checked) {
        cache->backend->arm(cache->code, block, false);
    }
    __atomic_store_n(&block->checked, true, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&cache->lock);
}

uint64_t cache_flushes(const BlockCache *cache)
{
    return __atomic_load_n(&cache->flushes, __ATOMIC_ACQUIRE);
}

uint64_t cache_used(BlockCache *cache)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t used = cache->used;
    pthread_mutex_unlock(&cache->lock);
    return used;
}

/* The place of @gpa's CodePage pointer, or NULL where no code is kept. */
static CodePage **page_slot(const BlockCache *cache, uint64_t gpa)
{
    for (unsigned i = 0; i < cache->n_tables; i++) {
        const PageTable *table = &cache->tables[i];
        if (gpa - table->gpa < table->size) {
            return &table->pages[(gpa - table->gpa) / PAGE_SIZE];
        }
    }
    return NULL;
}

static CodePage *find_page(const BlockCache *cache, uint64_t gpa)
{
    CodePage **slot = page_slot(cache, gpa);

    return slot ? __atomic_load_n(slot, __ATOMIC_ACQUIRE) : NULL;
}

bool cache_may_hold(const BlockCache *cache, uint64_t gpa)
{
    return page_slot(cache, gpa);
}

bool cache_is_code(const BlockCache *cache, uint64_t gpa)
{
    const CodePage *page = find_page(cache, gpa);

    return page && __atomic_load_n(&page->is_code, __ATOMIC_SEQ_CST);
}

void cache_make_code(BlockCache *cache, uint64_t gpa)
{
    pthread_mutex_lock(&cache->lock);
    CodePage **slot = page_slot(cache, gpa);
    if (slot && !*slot) {
        CodePage *page = g_new0(CodePage, 1);
        page->patience = IDLE_STORES;
        page->other = cache->pages;
        cache->pages = page;
        __atomic_store_n(slot, page, __ATOMIC_RELEASE);
    }
    if (slot) {
        __atomic_store_n(&(*slot)->is_code, true, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_unlock(&cache->lock);
}

static uint64_t hash_of(uint64_t gpa, uint32_t key)
{
    return (gpa ^ (uint64_t)key << 40) * UINT64_C(0x9e3779b97f4a7c15);
}

static unsigned bucket_of(uint64_t gpa, uint32_t key)
{
    return (unsigned)(hash_of(gpa, key) >> (64 - HASH_BITS));
}

Block *cache_find(BlockCache *cache, uint64_t gpa, uint32_t key)
{
    Block *block = __atomic_load_n(&cache->hash[bucket_of(gpa, key)], __ATOMIC_ACQUIRE);

    /* a block that leaves the chain meanwhile still leads on */
    while (block && (block->gpa != gpa || block->key != key ||
                     __atomic_load_n(&block->dead, __ATOMIC_ACQUIRE))) {
        block = __atomic_load_n(&block->hash_next, __ATOMIC_ACQUIRE);
    }
    return block;
}

/* Bits of the granules that [@from, @to) of a page touches; both below or at PAGE_SIZE. */
static uint64_t granules(unsigned from, unsigned to)
{
    return bits_mask((to - 1) / GRANULE + 1) & ~bits_mask(from / GRANULE);
}

/* Enter @block in the list of page @which (0 or 1), whose bytes [@from, @to) it covers. */
static void page_add(BlockCache *cache, Block *block, unsigned which, unsigned from, unsigned to)
{
    CodePage *page = find_page(cache, which ? block->gpa2 : block->gpa);

    if (page) {
        block->page_next[which] = page->blocks;
        page->blocks = block;
        __atomic_store_n(&page->idle, 0, __ATOMIC_RELAXED);
        __atomic_or_fetch(&page->map, granules(from, to), __ATOMIC_SEQ_CST);
    }
}

static void enter_pages(BlockCache *cache, Block *block)
{
    unsigned offset = block->gpa % PAGE_SIZE;
    unsigned end = offset + block->guest_bytes;

    page_add(cache, block, 0, offset - block->guest_before, MIN(end, PAGE_SIZE));
    if (block->gpa2 != GPA_NONE) {
        page_add(cache, block, 1, 0, MAX(end, PAGE_SIZE + 1) - PAGE_SIZE);
    }
}

static void set_translating(BlockCache *cache, uint64_t gpa, uint64_t gpa2)
{
    __atomic_store_n(&cache->translating[0], gpa, __ATOMIC_SEQ_CST);
    __atomic_store_n(&cache->translating[1], gpa2, __ATOMIC_SEQ_CST);
}

bool cache_translate_begin(BlockCache *cache, uint64_t gpa, uint64_t gpa2)
{
    pthread_mutex_lock(&cache->code_lock);
    if (!cache_is_code(cache, gpa) || (gpa2 != GPA_NONE && !cache_is_code(cache, gpa2))) {
        pthread_mutex_unlock(&cache->code_lock);
        return false;
    }
    set_translating(cache, align_down(gpa, PAGE_SIZE), gpa2);
    return true;
}

void cache_translate_end(BlockCache *cache)
{
    set_translating(cache, GPA_NONE, GPA_NONE);
    pthread_mutex_unlock(&cache->code_lock);
}

/* Room for a block of @bytes in all. */
static Block *reserve(BlockCache *cache, size_t bytes)
{
    Block *block = NULL;

    pthread_mutex_lock(&cache->lock);
    if (bytes <= cache->size - cache->used) {
        block = (Block *)(void *)(cache->arena + cache->used);
        cache->used = MIN(align_up(cache->used + bytes, 64), cache->size);
    }
    cache->full |= !block;
    pthread_mutex_unlock(&cache->lock);
    return block;
}

/* What the interpreter needs of @ir, behind @block. */
static void keep_ir(Block *block, const IrBlock *ir)
{
    IrNode *nodes = (IrNode *)(void *)(block + 1);
    IrInsn *insns = (IrInsn *)(void *)(nodes + ir->n_nodes);

    memcpy(nodes, ir->nodes, ir->n_nodes * sizeof(IrNode));
    memcpy(insns, ir->insns, ir->n_insns * sizeof(IrInsn));
    block->nodes = nodes;
    block->insns = insns;
}

/* True if the bit was set before. */
static bool test_and_set(Seen *seen, uint64_t n)
{
    uint64_t bit = UINT64_C(1) << n % 64, was = seen->bits[n / 64];

    seen->bits[n / 64] |= bit;
    return was & bit;
}

/* A block that is translated again because the guest changed it counts once. */
static void note_seen(BlockCache *cache, uint64_t gpa, uint32_t key)
{
    uint64_t n = hash_of(gpa, key) >> (64 - SEEN_BITS);

    cache->added++;
    if (!test_and_set(&cache->seen, n)) {
        cache->old += cache->before.bits[n / 64] >> n % 64 & 1;
    }
}

static void publish(BlockCache *cache, Block *block)
{
    unsigned h = bucket_of(block->gpa, block->key);

    pthread_mutex_lock(&cache->lock);
    note_seen(cache, block->gpa, block->key);
    block->hash_next = cache->hash[h];
    __atomic_store_n(&cache->hash[h], block, __ATOMIC_RELEASE);
    enter_pages(cache, block);
    pthread_mutex_unlock(&cache->lock);
}

static void note_full(BlockCache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->full = true;
    pthread_mutex_unlock(&cache->lock);
}

Block *cache_add(BlockCache *cache, const IrBlock *ir, uint64_t gpa, uint64_t gpa2, uint32_t key)
{
    size_t bytes = sizeof(Block);
    bool keeps_ir = !cache->backend || cache->check;

    if (keeps_ir) {
        bytes += ir->n_nodes * sizeof(IrNode) + ir->n_insns * sizeof(IrInsn);
    }
    Block *block = reserve(cache, bytes);
    if (!block) {
        return NULL;
    }
    *block = (Block){ .gpa = gpa,
                      .gpa2 = gpa2,
                      .key = key,
                      .n_nodes = (uint16_t)ir->n_nodes,
                      .n_insns = (uint16_t)ir->n_insns,
                      .guest_before = (uint16_t)ir->guest_before,
                      .guest_bytes = ir->guest_bytes };
    if (keeps_ir) {
        keep_ir(block, ir);
    }
    if (cache->backend && !cache->backend->compile(cache->code, ir, block)) {
        note_full(cache);
        return NULL;
    }
    if (cache->check) {
        cache->backend->arm(cache->code, block, true);
    }
    publish(cache, block);
    return block;
}

void cache_link(BlockCache *cache, Block *from, unsigned slot, Block *to)
{
    pthread_mutex_lock(&cache->lock);
    if (!from->dead && !to->dead && !from->next[slot]) {
        from->in_next[slot] = to->incoming;
        to->incoming = (uintptr_t)from | slot;
        __atomic_store_n(&from->next[slot], to, __ATOMIC_RELEASE);
        if (cache->backend) {
            cache->backend->link(cache->code, from, slot, to);
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

bool cache_grow(BlockCache *cache)
{
    pthread_mutex_lock(&cache->code_lock);
    pthread_mutex_lock(&cache->lock);
    bool runs_again = cache->old > cache->added / 2;
    if (cache->full && runs_again && cache->size < cache->limit) {
        cache->size = MIN(cache->size + CACHE_STEP, cache->limit);
        cache->full = false;
        if (cache->backend) {
            cache->backend->code_resize(cache->code, cache->size);
        }
    }
    bool full = cache->full; /* not if another vCPU was here first */
    pthread_mutex_unlock(&cache->lock);
    pthread_mutex_unlock(&cache->code_lock);
    return !full;
}

void cache_flush(BlockCache *cache)
{
    /* a vCPU that translates is not in guest code: wait until its block stands */
    pthread_mutex_lock(&cache->code_lock);
    pthread_mutex_lock(&cache->lock);
    if (cache->backend) {
        cache->backend->code_flush(cache->code);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(cache->hash); i++) {
        __atomic_store_n(&cache->hash[i], NULL, __ATOMIC_RELAXED); /* cache_find() may be looking */
    }
    cache->used = 0;
    cache->full = false;
    cache->before = cache->seen;
    memset(&cache->seen, 0, sizeof(cache->seen));
    cache->added = cache->old = 0;
    for (unsigned i = 0; i < cache->n_tables; i++) {
        PageTable *table = &cache->tables[i];
        for (size_t p = 0; p < table->bytes / sizeof(CodePage *); p++) {
            if (table->pages[p]) {
                table->pages[p]->map = 0;
                table->pages[p]->blocks = NULL;
            }
        }
    }
    madvise(cache->arena, cache->limit, MADV_DONTNEED);
    __atomic_add_fetch(&cache->flushes, 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&cache->lock);
    pthread_mutex_unlock(&cache->code_lock);
}

bool block_covers(const Block *block, uint64_t gpa, uint64_t len)
{
    uint64_t first = MIN(block->guest_bytes, PAGE_SIZE - block->gpa % PAGE_SIZE);

    if (ranges_overlap(gpa, len, block->gpa - block->guest_before, block->guest_before + first)) {
        return true;
    }
    return block->gpa2 != GPA_NONE &&
           ranges_overlap(gpa, len, block->gpa2, block->guest_bytes - first);
}

bool cache_store_hits(const BlockCache *cache, uint64_t gpa, unsigned len)
{
    CodePage *page = find_page(cache, gpa);
    unsigned offset = gpa % PAGE_SIZE;

    if (!page) {
        return false;
    }
    return __atomic_load_n(&page->map, __ATOMIC_SEQ_CST) &
           granules(offset, MIN(offset + len, PAGE_SIZE));
}

static void unhash(BlockCache *cache, Block *block)
{
    Block **link = &cache->hash[bucket_of(block->gpa, block->key)];

    while (*link && *link != block) {
        link = &(*link)->hash_next;
    }
    if (*link) {
        __atomic_store_n(link, block->hash_next, __ATOMIC_RELEASE);
    }
}

/* Mark @block dead and make all exits that lead to it lead nowhere. */
static void kill_block(BlockCache *cache, Block *block)
{
    __atomic_store_n(&block->dead, true, __ATOMIC_RELEASE);
    for (uintptr_t in = block->incoming; in;) {
        Block *from = (Block *)(in & ~(uintptr_t)(IR_EXIT_SLOTS - 1));
        unsigned slot = in & (IR_EXIT_SLOTS - 1);
        in = from->in_next[slot];
        __atomic_store_n(&from->next[slot], NULL, __ATOMIC_RELEASE);
        if (cache->backend) {
            cache->backend->link(cache->code, from, slot, NULL);
        }
    }
    block->incoming = 0;
    if (cache->backend) {
        cache->backend->kill(cache->code, block);
    }
    unhash(cache, block);
}

/* Which of @block's pages begins at @page_gpa. */
static unsigned which_page(const Block *block, uint64_t page_gpa)
{
    return align_down(block->gpa, PAGE_SIZE) == page_gpa ? 0 : 1;
}

/* Drop blocks of one page made from bytes of the range; the page's map is made anew.  Dead blocks
 * (killed through their other page) leave the list on the way. */
static void drop_in_page(BlockCache *cache, uint64_t page_gpa, uint64_t gpa, uint64_t len)
{
    CodePage *page = find_page(cache, page_gpa);
    uint64_t map = 0;

    if (!page) {
        return;
    }
    for (Block **link = &page->blocks; *link;) {
        Block *block = *link;
        unsigned which = which_page(block, page_gpa);
        if (!block->dead && block_covers(block, gpa, len)) {
            kill_block(cache, block);
        }
        if (block->dead) {
            *link = block->page_next[which];
            continue;
        }
        unsigned offset = which ? 0 : block->gpa % PAGE_SIZE;
        unsigned end = which ? block->guest_bytes : offset + block->guest_bytes;
        map |= granules(offset - (which ? 0 : block->guest_before), MIN(end, PAGE_SIZE));
        link = &block->page_next[which];
    }
    __atomic_store_n(&page->map, map, __ATOMIC_SEQ_CST);
}

void cache_drop(BlockCache *cache, uint64_t gpa, uint64_t len)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t last = align_down(gpa + len - 1, PAGE_SIZE);
    for (uint64_t page = align_down(gpa, PAGE_SIZE); page <= last; page += PAGE_SIZE) {
        drop_in_page(cache, page, gpa, len);
    }
    pthread_mutex_unlock(&cache->lock);
}

static bool is_translating(const BlockCache *cache, uint64_t gpa)
{
    uint64_t page = align_down(gpa, PAGE_SIZE);

    return page == __atomic_load_n(&cache->translating[0], __ATOMIC_SEQ_CST) ||
           page == __atomic_load_n(&cache->translating[1], __ATOMIC_SEQ_CST);
}

/* @gpa's page was stored to where no block is: when that goes on it counts as data again.  Blocks
 * that nobody overwrites, as their program is gone, take longer. */
static void note_idle(BlockCache *cache, uint64_t gpa)
{
    CodePage *page = find_page(cache, gpa);

    if (!page || !__atomic_load_n(&page->is_code, __ATOMIC_RELAXED)) {
        return;
    }
    bool beside = __atomic_load_n(&page->map, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&page->idle, 1, __ATOMIC_RELAXED) <
        __atomic_load_n(&page->patience, __ATOMIC_RELAXED) * (beside ? BESIDE : 1)) {
        return;
    }
    pthread_mutex_lock(&cache->code_lock); /* who translates looks at .is_code inside */
    if (beside) {
        cache_drop(cache, align_down(gpa, PAGE_SIZE), PAGE_SIZE);
    }
    if (!__atomic_load_n(&page->map, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&page->is_code, false, __ATOMIC_SEQ_CST);
        __atomic_store_n(&page->idle, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&page->patience, MIN(page->patience * 2, IDLE_STORES_MAX),
                         __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&cache->code_lock);
}

void cache_stored(BlockCache *cache, uint64_t gpa, unsigned len)
{
    /* The store, then this look; whoever translates says so, reads, publishes, says that it is
     * over.  So either the new bytes were read, or one of the two shows, asked in this order. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (is_translating(cache, gpa) || cache_store_hits(cache, gpa, len)) {
        pthread_mutex_lock(&cache->code_lock);
        cache_drop(cache, gpa, len);
        pthread_mutex_unlock(&cache->code_lock);
    } else {
        note_idle(cache, gpa);
    }
}

bool cache_note_written(BlockCache *cache, uint64_t gpa, uint64_t len)
{
    bool code = false;

    for (uint64_t at = gpa; at < gpa + len; at = align_down(at, PAGE_SIZE) + PAGE_SIZE) {
        uint64_t left = MIN(gpa + len - at, PAGE_SIZE - at % PAGE_SIZE);
        if (cache_store_hits(cache, at, (unsigned)left) || is_translating(cache, at)) {
            code = true;
            break;
        }
    }
    if (!code) {
        return false;
    }
    pthread_mutex_lock(&cache->written_lock);
    if (cache->n_written < CACHE_MAX_WRITTEN) {
        cache->written[cache->n_written++] = (Range){ gpa, len };
    } else {
        cache->written_all = true;
    }
    pthread_mutex_unlock(&cache->written_lock);
    return true;
}

/* Too many ranges to remember: everything may have changed. */
static void drop_everything(BlockCache *cache)
{
    for (unsigned i = 0; i < cache->n_tables; i++) {
        cache_drop(cache, cache->tables[i].gpa, cache->tables[i].size);
    }
}

void cache_drop_written(BlockCache *cache)
{
    Range written[CACHE_MAX_WRITTEN];

    /* a block that is being translated from the old bytes must stand before it can be dropped */
    pthread_mutex_lock(&cache->code_lock);
    /* held throughout: no vCPU may go on before the ranges of this moment are dropped */
    pthread_mutex_lock(&cache->written_lock);
    unsigned n = cache->n_written;
    bool all = cache->written_all;
    memcpy(written, cache->written, n * sizeof(Range));
    cache->n_written = 0;
    cache->written_all = false;
    if (all) {
        drop_everything(cache);
    }
    for (unsigned i = 0; i < n && !all; i++) {
        cache_drop(cache, written[i].gpa, written[i].len);
    }
    pthread_mutex_unlock(&cache->written_lock);
    pthread_mutex_unlock(&cache->code_lock);
}
