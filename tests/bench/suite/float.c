/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of scalar floating point: doubles, floats, and x87's 80 bits.
 *
 * The results are compared bit for bit: build with -ffp-contract=off.
 */
#include <math.h>
#include <string.h>

#include "suite.h"

enum { BODIES = 5, PICTURE = 96, EQUATIONS = 128 };

typedef struct Body {
    double x, y, z, vx, vy, vz, mass;
} Body;

static void attract(Body *one, Body *other)
{
    double dx = one->x - other->x;
    double dy = one->y - other->y;
    double dz = one->z - other->z;
    double square = dx * dx + dy * dy + dz * dz + 0.01;
    double force = 0.001 / (square * sqrt(square));

    one->vx -= dx * other->mass * force;
    one->vy -= dy * other->mass * force;
    one->vz -= dz * other->mass * force;
    other->vx += dx * one->mass * force;
    other->vy += dy * one->mass * force;
    other->vz += dz * one->mass * force;
}

static uint64_t nbody(void *data)
{
    Body *body = data;
    uint64_t sum = 0;

    for (int i = 0; i < BODIES; i++) {
        body[i] = (Body){ 1.0 + 3.1 * i, 0.3 * i * i - 1, 0.7 - 0.2 * i,      0.1 * i,
                          0.5 - 0.1 * i, 0.01 * i,        i ? 0.05 / i : 39.0 };
    }
    for (int step = 0; step < 20000; step++) {
        for (int i = 0; i < BODIES; i++) {
            for (int j = i + 1; j < BODIES; j++) {
                attract(&body[i], &body[j]);
            }
        }
        for (int i = 0; i < BODIES; i++) {
            body[i].x += 0.001 * body[i].vx;
            body[i].y += 0.001 * body[i].vy;
            body[i].z += 0.001 * body[i].vz;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        sum = mix_double(mix_double(sum, body[i].x), body[i].vy);
    }
    return sum;
}

/* How many steps until this point leaves the circle, at most 100. */
static uint64_t escape(double real, double imaginary)
{
    double x = 0;
    double y = 0;
    uint64_t steps = 0;

    while (steps < 100) {
        double x2 = x * x;
        double y2 = y * y;
        if (x2 + y2 > 4.0) {
            break;
        }
        y = 2 * x * y + imaginary;
        x = x2 - y2 + real;
        steps++;
    }
    return steps;
}

static uint64_t mandel(void *data)
{
    uint64_t total = 0;

    (void)data;
    for (int y = 0; y < PICTURE; y++) {
        for (int x = 0; x < PICTURE; x++) {
            total += escape(x / 48.0 - 1.5, y / 48.0 - 1.0);
        }
    }
    return total;
}

typedef struct Equations {
    double a[EQUATIONS][EQUATIONS], b[EQUATIONS];
} Equations;

static void swap_rows(Equations *e, int one, int other)
{
    for (int j = 0; j < EQUATIONS; j++) {
        double swapped = e->a[one][j];
        e->a[one][j] = e->a[other][j];
        e->a[other][j] = swapped;
    }
    double swapped = e->b[one];
    e->b[one] = e->b[other];
    e->b[other] = swapped;
}

static void eliminate(Equations *e, int column)
{
    int pivot = column;

    for (int i = column + 1; i < EQUATIONS; i++) {
        if (fabs(e->a[i][column]) > fabs(e->a[pivot][column])) {
            pivot = i;
        }
    }
    if (pivot != column) {
        swap_rows(e, column, pivot);
    }
    for (int i = column + 1; i < EQUATIONS; i++) {
        double factor = e->a[i][column] / e->a[column][column];
        for (int j = column + 1; j < EQUATIONS; j++) {
            e->a[i][j] -= factor * e->a[column][j];
        }
        e->b[i] -= factor * e->b[column];
    }
}

static uint64_t linpack(void *data)
{
    Equations *e = data;
    uint32_t state = 4242;
    uint64_t sum = 0;

    for (int i = 0; i < EQUATIONS; i++) {
        for (int j = 0; j < EQUATIONS; j++) {
            e->a[i][j] = (double)(int32_t)next_random(&state) / 2147483648.0;
        }
    }
    for (int i = 0; i < EQUATIONS; i++) {
        e->b[i] = 0;
        for (int j = 0; j < EQUATIONS; j++) {
            e->b[i] += e->a[i][j];
        }
    }
    for (int column = 0; column < EQUATIONS; column++) {
        eliminate(e, column);
    }
    for (int i = EQUATIONS - 1; i >= 0; i--) {
        for (int j = i + 1; j < EQUATIONS; j++) {
            e->b[i] -= e->a[i][j] * e->b[j];
        }
        e->b[i] /= e->a[i][i];
        sum = mix_double(sum, e->b[i]);
    }
    return sum;
}

/* Single precision, conversions both ways, compares. */
static uint64_t fp32conv(void *data)
{
    uint32_t state = 5;
    float total = 0;
    uint64_t sum = 0;

    (void)data;
    for (int i = 0; i < 200000; i++) {
        float f = (float)(int32_t)(next_random(&state) >> 8) * 1e-3f;
        total += f > 8000.0f ? f * 0.5f : -f;
        sum += (uint64_t)(int64_t)total;
    }
    return sum;
}

/* x87 on x86-64; the result is that CPU's. */
static uint64_t ldouble(void *data)
{
    volatile long double seed = 1.25L;
    long double x = seed;
    long double y = 0;

    (void)data;
    for (int i = 0; i < 50000; i++) {
        x = x * 1.0000001L + 0.5L / (x + 1);
        y += x - (long double)i;
    }
    return mix_double(0, (double)y);
}

const Row float_rows[] = {
    { "fp", "nbody", "kstep/s", 20, 0xd1d02f9111515b38, BODIES * sizeof(Body), nbody },
    { "fp", "mandel", "Miter/s", 0.404506, 0x62c1a, 0, mandel },
    { "fp", "linpack", "MFLOPS",
      (2.0 / 3 * EQUATIONS * EQUATIONS * EQUATIONS + 2.0 * EQUATIONS * EQUATIONS) / 1e6,
      0x32feeb3318832686, sizeof(Equations), linpack },
    { "fp", "fp32conv", "Miter/s", 0.2, 0x18121c87d3f3, 0, fp32conv },
    { "fp", "ldouble", "Miter/s", 0.05, 0x8873275d720e7f36, 0, ldouble },
    { 0 },
};
