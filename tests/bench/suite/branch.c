/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of control flow: two interpreters of one small machine, calls, indirect calls.
 */
#include "suite.h"

enum { LI, ADD, SUB, MUL, AND, SHR, XOR, JNZ, JMP, JLT, LD, ST, HALT };

/* One instruction: operation, target, two operands. */
#define I(op, a, b, c)                                                                             \
    ((uint32_t)(op) | (uint32_t)(a) << 8 | (uint32_t)(b) << 16 | (uint32_t)(uint8_t)(c) << 24)

/* Lengths of the Collatz sequences from 1 to 150, summed up in r7 by way of a small memory. */
static const uint32_t collatz[] = {
    /*  0 */ I(LI, 0, 1, 0),
    I(LI, 9, 1, 0),
    I(LI, 8, 150, 0),
    I(LI, 7, 0, 0),
    I(LI, 6, 3, 0),
    /*  5 */ I(ADD, 1, 0, 10),
    I(LI, 2, 0, 0),
    /*  7 */ I(SUB, 3, 1, 9),
    I(JNZ, 3, 0, 10),
    I(JMP, 0, 0, 21),
    /* 10 */ I(AND, 3, 1, 9),
    I(JNZ, 3, 0, 14),
    I(SHR, 1, 1, 9),
    I(JMP, 0, 0, 16),
    /* 14 */ I(MUL, 1, 1, 6),
    I(ADD, 1, 1, 9),
    /* 16 */ I(ADD, 2, 2, 9),
    I(ST, 2, 0, 0),
    I(LD, 4, 0, 0),
    I(XOR, 7, 7, 4),
    I(JMP, 0, 0, 7),
    /* 21 */ I(ADD, 7, 7, 2),
    I(ADD, 0, 0, 9),
    I(JLT, 0, 8, 5),
    I(HALT, 0, 0, 0),
};

typedef struct Vm {
    uint64_t memory[256];
    uint64_t count; /* of instructions, in the last run */
} Vm;

__attribute__((noinline)) static uint64_t run_by_switch(Vm *vm, const uint32_t *program)
{
    const uint32_t *pc = program;
    uint64_t r[16] = { 0 };
    uint64_t count = 0;

    for (;;) {
        uint32_t word = *pc++;
        uint32_t a = word >> 8 & 15;
        uint32_t b = word >> 16 & 255;
        uint32_t c = word >> 24;
        count++;
        switch (word & 255) {
        case LI:
            r[a] = b;
            break;
        case ADD:
            r[a] = r[b & 15] + r[c & 15];
            break;
        case SUB:
            r[a] = r[b & 15] - r[c & 15];
            break;
        case MUL:
            r[a] = r[b & 15] * r[c & 15];
            break;
        case AND:
            r[a] = r[b & 15] & r[c & 15];
            break;
        case SHR:
            r[a] = r[b & 15] >> (r[c & 15] & 63);
            break;
        case XOR:
            r[a] = r[b & 15] ^ r[c & 15];
            break;
        case JNZ:
            if (r[a]) {
                pc = program + c;
            }
            break;
        case JMP:
            pc = program + c;
            break;
        case JLT:
            if (r[a] < r[b & 15]) {
                pc = program + c;
            }
            break;
        case LD:
            r[a] = vm->memory[r[b & 15] & 255];
            break;
        case ST:
            vm->memory[r[b & 15] & 255] = r[a];
            break;
        case HALT:
            vm->count = count;
            return r[7];
        }
    }
}

/* The same with a jump of its own behind each operation. */
__attribute__((noinline)) static uint64_t run_by_goto(Vm *vm, const uint32_t *program)
{
    static const void *const labels[] = {
        &&li, &&add, &&sub, &&mul, &&and, &&shr, &&xor, &&jnz, &&jmp, &&jlt, &&ld, &&st, &&halt,
    };
    const uint32_t *pc = program;
    uint64_t r[16] = { 0 };
    uint64_t count = 0;
    uint32_t word;
    uint32_t a;
    uint32_t b;
    uint32_t c;

#define NEXT                                                                                       \
    word = *pc++;                                                                                  \
    a = word >> 8 & 15;                                                                            \
    b = word >> 16 & 255;                                                                          \
    c = word >> 24;                                                                                \
    count++;                                                                                       \
    goto *labels[word & 255]

    NEXT;
li:
    r[a] = b;
    NEXT;
add:
    r[a] = r[b & 15] + r[c & 15];
    NEXT;
sub:
    r[a] = r[b & 15] - r[c & 15];
    NEXT;
mul:
    r[a] = r[b & 15] * r[c & 15];
    NEXT;
    and : r[a] = r[b & 15] & r[c & 15];
    NEXT;
shr:
    r[a] = r[b & 15] >> (r[c & 15] & 63);
    NEXT;
    xor : r[a] = r[b & 15] ^ r[c & 15];
    NEXT;
jnz:
    if (r[a]) {
        pc = program + c;
    }
    NEXT;
jmp:
    pc = program + c;
    NEXT;
jlt:
    if (r[a] < r[b & 15]) {
        pc = program + c;
    }
    NEXT;
ld:
    r[a] = vm->memory[r[b & 15] & 255];
    NEXT;
st:
    vm->memory[r[b & 15] & 255] = r[a];
    NEXT;
halt:
    vm->count = count;
    return r[7];
#undef NEXT
}

static uint64_t vmswitch(void *data)
{
    Vm *vm = data;
    uint64_t sum = 0;

    for (int i = 0; i < 4; i++) {
        sum = mix(sum, run_by_switch(vm, collatz));
    }
    return mix(sum, vm->count);
}

static uint64_t vmgoto(void *data)
{
    Vm *vm = data;
    uint64_t sum = 0;

    for (int i = 0; i < 4; i++) {
        sum = mix(sum, run_by_goto(vm, collatz));
    }
    return mix(sum, vm->count);
}

/* Both calls are real: gcc would make a loop of one of them. */
__attribute__((noinline)) static uint32_t fibonacci(uint32_t n)
{
    uint32_t sum;

    HIDE(n);
    if (n < 2) {
        return n;
    }
    sum = fibonacci(n - 1) + fibonacci(n - 2);
    HIDE(sum);
    return sum;
}

static uint64_t fib(void *data)
{
    (void)data;
    return fibonacci(24);
}

typedef uint64_t (*Operation)(uint64_t x);

__attribute__((noinline)) static uint64_t plus(uint64_t x)
{
    return x + 3;
}

__attribute__((noinline)) static uint64_t flip(uint64_t x)
{
    return x ^ 0x55;
}

__attribute__((noinline)) static uint64_t times(uint64_t x)
{
    return x * 5;
}

__attribute__((noinline)) static uint64_t minus(uint64_t x)
{
    return x - 9;
}

__attribute__((noinline)) static uint64_t rotate(uint64_t x)
{
    return x << 1 | x >> 63;
}

__attribute__((noinline)) static uint64_t invert(uint64_t x)
{
    return ~x;
}

__attribute__((noinline)) static uint64_t half(uint64_t x)
{
    return x >> 1;
}

__attribute__((noinline)) static uint64_t spread(uint64_t x)
{
    return x + (x << 7);
}

static uint64_t icall(void *data)
{
    static const Operation table[8] = { plus, flip, times, minus, rotate, invert, half, spread };
    const Operation *operations = table;
    uint64_t x = 1;
    uint32_t state = 3;

    (void)data;
    HIDE(operations);
    for (int i = 0; i < 100000; i++) {
        x = operations[next_random(&state) & 7](x);
    }
    return x;
}

const Row branch_rows[] = {
    { "branch", "vmswitch", "Minsn/s", 0.256780, 0x35d05b90ba2fb7c9, sizeof(Vm), vmswitch },
    { "branch", "vmgoto", "Minsn/s", 0.256780, 0x35d05b90ba2fb7c9, sizeof(Vm), vmgoto },
    { "branch", "fib", "Mcall/s", 0.150049, 0xb520, 0, fib },
    { "branch", "icall", "Mcall/s", 0.1, 0x3b15eebddff74bc7, 0, icall },
    { 0 },
};
