/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Something of everything, with one number as its result: whatever interrupts this, or however it
 * is cut into blocks, the number must be the same.
 *
 * Compiled with SSE, unlike the rest: handlers leave vectors and x87 alone.
 */
#include "kernel.h"

enum { BUFFER = 0x4000 };

static uint64_t mix(uint64_t sum, uint64_t value)
{
    sum ^= value;
    sum *= UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

/* --- integers --------------------------------------------------------------------------------- */

static uint64_t arithmetic(Random *random)
{
    uint64_t sum = 0, a = draw(random), b = draw(random);

    for (unsigned i = 0; i < 40; i++) {
        unsigned __int128 product = (unsigned __int128)a * b;
        sum = mix(sum,
                  (uint64_t)(product >> 64) + (uint64_t)((__int128)(int64_t)a * (int64_t)b >> 70));
        a = (a << (b & 63)) | (a >> (-b & 63));
        b = b % ((a >> 40) + 1) + (a / ((b & 0xffff) + 1));
        sum += (uint64_t)__builtin_clzll(a | 1) + (uint64_t)((int32_t)b / (int32_t)(a | 1));
        sum = mix(sum, __builtin_bswap64(a) + (uint64_t)(int8_t)b + (uint16_t)a);
    }
    return sum;
}

/* Flags as values: each instruction's outcome goes into the next. */
static uint64_t flags(Random *random)
{
    uint64_t a = draw(random), b = draw(random), c = draw(random) % 70, all = 0, sum = 0;

    for (unsigned i = 0; i < 20; i++) {
        __asm__ volatile("add %0, %1; adc %1, %2; pushf; pop %3; and %3, 0x8d5\n\t"
                         "lea %4, [%4 + %3]; sbb %2, %0; mov rcx, %2; rcl %0, cl; setc %b2\n\t"
                         "rol %1, cl; shld %0, %1, 5; jp 1f; neg %2\n\t"
                         "1: jl 2f; inc %0; jo 2f; dec %1\n\t"
                         "2: pushf; pop %3; and %3, 0x8d5; sar %2, 3; lea %4, [%4 + %3*2]\n\t"
                         "bsf %3, %1; cmovz %3, %0; xor %4, %3; bt %0, 17; adc %4, 0\n\t"
                         "imul %3, %1, 77; seto %b3; movzx %3, %b3; cmp %0, %1; cmovbe %2, %4"
                         : "+r"(a), "+r"(b), "+q"(c), "=&q"(all), "+r"(sum)
                         :
                         : "rcx", "cc");
        sum = mix(sum, a) + c % 3;
    }
    return sum;
}

/* --- memory ----------------------------------------------------------------------------------- */

static uint64_t strings(volatile uint8_t *buffer, Random *random)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 6; i++) {
        volatile uint8_t *to = buffer + below(random, 0x1000),
                         *from = buffer + below(random, 0x2000);
        uint64_t n = below(random, 0x1800), word = draw(random), left;
        volatile void *d = to, *s = from;
        __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
        n = below(random, 200);
        d = buffer + below(random, 0x3000);
        __asm__ volatile("rep stosq" : "+D"(d), "+c"(n) : "a"(word) : "memory");
        left = 0x2000;
        d = buffer;
        __asm__ volatile("repne scasb" : "+D"(d), "+c"(left) : "a"(word) : "memory", "cc");
        sum = mix(sum, left);
        s = buffer + below(random, 64);
        d = buffer + 0x1000;
        left = 0x400;
        __asm__ volatile("repe cmpsw" : "+D"(d), "+S"(s), "+c"(left)::"memory", "cc");
        sum = mix(sum, left);
        d = buffer + 0x2000;
        s = buffer + 0x2010;
        n = 100;
        __asm__ volatile("std; rep movsd; cld" : "+D"(d), "+S"(s), "+c"(n)::"memory");
    }
    return sum;
}

static uint64_t words(volatile uint8_t *buffer, Random *random)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 60; i++) {
        volatile uint8_t *at = buffer + below(random, BUFFER - 8); /* across pages, too */
        uint64_t value = *(volatile uint64_t *)at;
        *(volatile uint32_t *)(at + 1) += (uint32_t)value;
        *(volatile uint16_t *)(at + 5) ^= (uint16_t)(value >> 7);
        __atomic_fetch_add((volatile uint64_t *)((uint64_t)at & ~7UL), value, __ATOMIC_SEQ_CST);
        value &= 63;
        __asm__ volatile("bts %0, %2; adc %2, 0; xchg %1, %b3"
                         : "+m"(*(volatile uint64_t *)at), "+m"(*at), "+r"(value), "+q"(sum)
                         :
                         : "cc");
        sum = mix(sum, value);
    }
    return sum;
}

static unsigned depth_of(unsigned n, unsigned *visited)
{
    (*visited)++;
    if (n < 2) {
        return 1;
    }
    unsigned left = depth_of(n / 2, visited), right = depth_of(n - n / 2 - 1, visited);
    return 1 + (left > right ? left : right);
}

static int compare(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

/* Indirect calls, branches that nobody can foresee. */
static uint64_t sorted(volatile uint8_t *buffer, int (*by)(uint32_t, uint32_t))
{
    volatile uint32_t *v = (volatile uint32_t *)buffer;
    uint64_t sum = 0;

    for (unsigned i = 1; i < 40; i++) {
        uint32_t x = v[i];
        unsigned at = i;
        for (; at && by(v[at - 1], x) > 0; at--) {
            v[at] = v[at - 1];
        }
        v[at] = x;
    }
    for (unsigned i = 0; i < 40; i++) {
        sum = mix(sum, v[i]);
    }
    return sum;
}

/* --- floating point --------------------------------------------------------------------------- */

static uint64_t bits_of(double x)
{
    uint64_t bits;

    __builtin_memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static uint64_t floats(Random *random)
{
    double x = (double)(draw(random) >> 12) / 4503599627370496.0, y = 1;
    float f = (float)x;
    long double l = x;
    uint64_t sum = 0;

    for (unsigned i = 0; i < 30; i++) {
        x = 3.9 * x * (1 - x);
        y += x / (y + 0.25) - (double)(int64_t)(y * 3);
        f = f * 1.0625f - (float)i / (f + 2);
        l = l * 1.25L + 1 / (l + 3);
        __asm__ volatile("sqrtsd %0, %0; cvtsd2si %1, %0" : "+x"(y), "=r"(sum) : : "memory");
        sum = mix(sum, bits_of(x) ^ bits_of(y) ^ bits_of((double)f) ^ bits_of((double)l));
        if (x < y) {
            y = x + 1;
        }
    }
    return sum;
}

typedef int32_t V4 __attribute__((vector_size(16)));
typedef double V2 __attribute__((vector_size(16)));

static uint64_t vectors(volatile uint8_t *buffer, Random *random)
{
    V4 a = { (int32_t)draw(random), 2, (int32_t)draw(random), 4 }, b = a * 3 + 1;
    V2 c = { 1.5, (double)(int32_t)draw(random) };
    uint64_t sum = 0;

    for (unsigned i = 0; i < 20; i++) {
        V4 loaded = *(V4 *)(uintptr_t)(buffer + 16 * i);
        a = (a ^ loaded) + (b >> 3);
        b = __builtin_shuffle(a, b, (V4){ 1, 6, 3, 4 });
        c = c * 1.0001 + (V2){ 0.5, -0.25 };
        *(V4 *)(uintptr_t)(buffer + 16 * i) = (a > b) ^ a;
        __asm__ volatile("pshufd %0, %1, 0x1b; paddq %1, %0; pmovmskb %k2, %1; punpcklbw %0, %1"
                         : "+x"(a), "+x"(b), "=r"(sum));
    }
    sum = mix(sum, (uint64_t)(uint32_t)a[0] ^ (uint64_t)(uint32_t)b[3] << 32);
    return mix(sum, bits_of(c[0]) ^ bits_of(c[1]));
}

void do_work(unsigned cpu, Random *random)
{
    volatile uint8_t *buffer = (volatile uint8_t *)(uintptr_t)(MODIFIED + cpu * 0x10000);
    uint64_t sum = 0;
    unsigned visited = 0;

    __asm__ volatile("fninit");
    for (unsigned i = 0; i < BUFFER; i += 8) {
        *(volatile uint64_t *)(buffer + i) = draw(random);
    }
    for (uint64_t round = 0; round < shared->rounds; round++) {
        shared->round = round;
        sum = mix(sum, arithmetic(random));
        sum = mix(sum, flags(random));
        sum = mix(sum, strings(buffer, random));
        sum = mix(sum, words(buffer, random));
        sum = mix(sum, depth_of(50 + (unsigned)round % 50, &visited) + visited);
        sum = mix(sum, sorted(buffer, compare));
        sum = mix(sum, floats(random));
        sum = mix(sum, vectors(buffer, random));
    }
    for (unsigned i = 0; i < BUFFER; i += 8) {
        sum = mix(sum, *(volatile uint64_t *)(buffer + i));
    }
    shared->value[cpu] = sum;
}
