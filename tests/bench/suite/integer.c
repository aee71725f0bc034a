/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of integer work: loops, tables, wide products, recursion, and a mix as small devices do it.
 */
#include <string.h>

#include "suite.h"

enum { SIEVE_SIZE = 1 << 20, MATRIX = 96, SORT_COUNT = 100000 };

static uint64_t sieve(void *data)
{
    uint8_t *prime = data;
    uint64_t count = 0;

    memset(prime, 1, SIEVE_SIZE);
    for (uint32_t i = 2; i < SIEVE_SIZE; i++) {
        if (!prime[i]) {
            continue;
        }
        count++;
        for (uint32_t j = i * 2; j < SIEVE_SIZE; j += i) {
            prime[j] = 0;
        }
    }
    return count;
}

typedef struct Matrices {
    int32_t a[MATRIX][MATRIX], b[MATRIX][MATRIX], product[MATRIX][MATRIX];
} Matrices;

static void multiply(Matrices *m)
{
    for (int i = 0; i < MATRIX; i++) {
        for (int j = 0; j < MATRIX; j++) {
            int32_t sum = 0;
            for (int k = 0; k < MATRIX; k++) {
                sum += m->a[i][k] * m->b[k][j];
            }
            m->product[i][j] = sum;
        }
    }
}

static uint64_t matint(void *data)
{
    Matrices *m = data;
    uint64_t sum = 1;

    for (int i = 0; i < MATRIX; i++) {
        for (int j = 0; j < MATRIX; j++) {
            m->a[i][j] = i * 7 - j * 3;
            m->b[i][j] = (i ^ j) + 5;
        }
    }
    for (int turn = 0; turn < 4; turn++) {
        multiply(m);
        m->a[turn][turn] += m->product[1][2];
    }
    for (int i = 0; i < MATRIX; i++) {
        sum = mix(sum, (uint32_t)m->product[i][MATRIX - 1 - i]);
    }
    return sum;
}

typedef struct Crc {
    Buffers buffers;
    uint32_t table[256];
} Crc;

static void setup_crc32(void *data)
{
    Crc *crc = data;

    fill_buffer(&crc->buffers);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) {
            c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
        }
        crc->table[i] = c;
    }
}

static uint64_t crc32(void *data)
{
    const Crc *crc = data;
    uint32_t c = ~0u;

    for (int i = 0; i < BUFFER_SIZE; i++) {
        c = crc->table[(c ^ crc->buffers.a[i]) & 255] ^ (c >> 8);
    }
    return ~c;
}

/* Products of 64 by 64 bits, rotations, loads. */
static uint64_t hash64(void *data)
{
    const Buffers *buffers = data;
    uint64_t hash = 0x243f6a8885a308d3u;

    for (int turn = 0; turn < 4; turn++) {
        for (int i = 0; i < BUFFER_SIZE; i += 8) {
            uint64_t word;
            memcpy(&word, buffers->a + i, sizeof(word));
            unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0xa0761d6478bd642fu;
            hash = (uint64_t)product ^ (uint64_t)(product >> 64);
            hash = (hash << 13 | hash >> 51) + word;
        }
    }
    return hash;
}

/* Sorts a[low] to a[high] but for runs of a dozen, which insertion_sort() finishes. */
static void quick_sort(int32_t *a, int low, int high)
{
    while (high - low > 12) {
        int32_t pivot = a[(low + high) / 2];
        int i = low;
        int j = high;
        while (i <= j) {
            while (a[i] < pivot) {
                i++;
            }
            while (a[j] > pivot) {
                j--;
            }
            if (i <= j) {
                int32_t swapped = a[i];
                a[i++] = a[j];
                a[j--] = swapped;
            }
        }
        if (j - low < high - i) {
            quick_sort(a, low, j);
            low = i;
        } else {
            quick_sort(a, i, high);
            high = j;
        }
    }
    for (int i = low + 1; i <= high; i++) {
        int32_t value = a[i];
        int j = i - 1;
        for (; j >= low && a[j] > value; j--) {
            a[j + 1] = a[j];
        }
        a[j + 1] = value;
    }
}

static uint64_t sort_numbers(void *data)
{
    int32_t *numbers = data;
    uint32_t state = 99;
    uint64_t sum = 0;

    for (int i = 0; i < SORT_COUNT; i++) {
        numbers[i] = (int32_t)next_random(&state);
    }
    quick_sort(numbers, 0, SORT_COUNT - 1);
    for (int i = 0; i < SORT_COUNT; i += 97) {
        sum = mix(sum, (uint32_t)numbers[i]);
    }
    return sum;
}

/* coremix: a linked list, a small matrix, a state machine over text, a CRC of all results. */
typedef struct Node Node;
struct Node {
    Node *next;
    int16_t key, value;
};
enum { NODES = 128, SMALL = 12 };
typedef struct Mix {
    Node nodes[NODES];
    int16_t a[SMALL][SMALL], b[SMALL][SMALL];
    uint32_t crc, random;
} Mix;

static Node *merge(Node *a, Node *b)
{
    Node head = { 0 };
    Node *tail = &head;

    while (a && b) {
        if (a->key <= b->key) {
            tail = tail->next = a;
            a = a->next;
        } else {
            tail = tail->next = b;
            b = b->next;
        }
    }
    tail->next = a ? a : b;
    return head.next;
}

static Node *merge_sort(Node *list)
{
    if (!list || !list->next) {
        return list;
    }
    Node *slow = list;
    Node *fast = list->next;
    while (fast && fast->next) {
        slow = slow->next;
        fast = fast->next->next;
    }
    fast = slow->next;
    slow->next = NULL;
    return merge(merge_sort(list), merge_sort(fast));
}

enum { START, SIGN, WHOLE, POINT, FRACTION, EXPONENT, BAD, STATES };

static int after_digit_or_not(int state, char c)
{
    bool digit = c >= '0' && c <= '9';

    switch (state) {
    case START:
        return digit ? WHOLE : c == '-' || c == '+' ? SIGN : c == '.' ? POINT : BAD;
    case SIGN:
        return digit ? WHOLE : c == '.' ? POINT : BAD;
    case WHOLE:
        return digit ? WHOLE : c == '.' ? FRACTION : c == 'e' ? EXPONENT : BAD;
    case POINT:
        return digit ? FRACTION : BAD;
    case FRACTION:
        return digit ? FRACTION : c == 'e' ? EXPONENT : BAD;
    case EXPONENT:
        return digit || c == '-' ? EXPONENT : BAD;
    default:
        return state;
    }
}

/* What kind of number begins at *@text, which then points behind its comma. */
static int scan_number(const char **text)
{
    const char *p = *text;
    int state = START;

    for (; *p && *p != ','; p++) {
        state = after_digit_or_not(state, *p);
    }
    *text = *p ? p + 1 : p;
    return state;
}

static uint32_t crc16(uint32_t crc, uint32_t value)
{
    for (int i = 0; i < 16; i++, value >>= 1) {
        crc = (crc ^ value) & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
    }
    return crc;
}

static void mix_list(Mix *m)
{
    for (int i = 0; i < NODES; i++) {
        m->nodes[i].key = (int16_t)(next_random(&m->random) & 0x3ff);
        m->nodes[i].value = (int16_t)i;
        m->nodes[i].next = i < NODES - 1 ? &m->nodes[i + 1] : NULL;
    }
    Node *reversed = NULL;
    for (Node *node = merge_sort(m->nodes); node;) {
        Node *next = node->next;
        node->next = reversed;
        reversed = node;
        node = next;
    }
    for (const Node *node = reversed; node; node = node->next) {
        if (node->value % 5 == 0) {
            m->crc = crc16(m->crc, (uint32_t)node->key);
        }
    }
}

static void mix_matrix(Mix *m, int turn)
{
    for (int i = 0; i < SMALL; i++) {
        for (int j = 0; j < SMALL; j++) {
            m->a[i][j] = (int16_t)(i + j + turn);
            m->b[i][j] = (int16_t)(i * j - turn);
        }
    }
    for (int i = 0; i < SMALL; i++) {
        int32_t sum = 0;
        for (int j = 0; j < SMALL; j++) {
            int32_t product = 0;
            for (int k = 0; k < SMALL; k++) {
                product += m->a[i][k] * m->b[k][j];
            }
            sum += (product >> 2 & 15) * (product >> 5 & 127);
        }
        m->crc = crc16(m->crc, (uint32_t)sum);
    }
}

static void mix_text(Mix *m)
{
    static const char text[] = "12,-7.25,+3e5,0.5e-3,abc,.5,99999,1.x,-,+.7,314159,2e,7..1,42";
    int tally[STATES] = { 0 };

    for (int turn = 0; turn < 4; turn++) {
        for (const char *p = text; *p;) {
            tally[scan_number(&p)]++;
        }
    }
    for (int i = 0; i < STATES; i++) {
        m->crc = crc16(m->crc, (uint32_t)tally[i]);
    }
}

static uint64_t coremix(void *data)
{
    Mix *m = data;

    m->crc = 0xffff;
    m->random = 7;
    for (int turn = 0; turn < 60; turn++) {
        mix_list(m);
        mix_matrix(m, turn);
        mix_text(m);
    }
    return m->crc;
}

const Row integer_rows[] = {
    { "int", "sieve", "Mnum/s", SIEVE_SIZE / 1e6, 0x14069, SIEVE_SIZE, sieve },
    { "int", "matint", "MMAC/s", 4.0 * MATRIX *MATRIX *MATRIX / 1e6, 0x36f4e35dab917ab7,
      sizeof(Matrices), matint },
    { "int", "crc32", "MB/s", BUFFER_SIZE / 1e6, 0x48821295, sizeof(Crc), crc32, setup_crc32 },
    { "int", "hash64", "MB/s", 4.0 * BUFFER_SIZE / 1e6, 0xd2ba9c1bade9b594, sizeof(Buffers), hash64,
      fill_buffer },
    { "int", "qsort", "Melem/s", SORT_COUNT / 1e6, 0x12378bcebc23898c, SORT_COUNT * sizeof(int32_t),
      sort_numbers },
    { "int", "coremix", "kiter/s", 60 / 1e3, 0xc53c, sizeof(Mix), coremix },
    { 0 },
};
