/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O ports: who may use them (SDM volume 1, 19.5) and the accesses themselves.
 *
 * Threads: the vCPU's own; devices take their own locks.
 */
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/run/exec.h"

/* The TSS's bitmap: every port's bit must be 0. */
static bool bitmap_permits(X86Cpu *cpu, uint16_t port, unsigned size)
{
    const X86Segment *tss = &cpu->tr;
    uint64_t base, bits;

    if (!(tss->attributes & SEG_P) || !(segment_type(tss) & 8) || tss->limit < 0x67) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!mmu_load(&cpu->base, tss->base + 0x66, 2, X86_SYSTEM, &base)) {
        return false;
    }
    uint64_t offset = base + port / 8;
    if (offset + 1 > tss->limit) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!mmu_load(&cpu->base, tss->base + offset, 2, X86_SYSTEM, &bits)) {
        return false;
    }
    return !(bits_get(bits, port % 8, size)) || x86_raise_error(cpu, EXC_GP, 0);
}

bool x86_io_permitted(X86Cpu *cpu, uint16_t port, unsigned size)
{
    if (!(cpu->cr0 & CR0_PE) || (!x86_v8086(cpu) && cpu->cpl <= x86_iopl(cpu))) {
        return true;
    }
    return bitmap_permits(cpu, port, size);
}

uint64_t x86_io_read(X86Cpu *cpu, uint16_t port, unsigned size)
{
    cpu->base.exits++;
    uint64_t value = gm_pio_read(cpu->base.memory, port, size);
    if (log_on(cpu->base.log, LOG_IO)) {
        log_line(cpu->base.log, LOG_IO, "cpu %u in %u from %x: %" PRIx64, cpu->base.index, size,
                 port, value);
    }
    x86_io_breakpoint(cpu, port, size);
    return value;
}

void x86_io_write(X86Cpu *cpu, uint16_t port, uint64_t value, unsigned size)
{
    cpu->base.exits++;
    value &= bits_mask(size * 8);
    if (log_on(cpu->base.log, LOG_IO)) {
        log_line(cpu->base.log, LOG_IO, "cpu %u out %u to %x: %" PRIx64, cpu->base.index, size,
                 port, value);
    }
    gm_pio_write(cpu->base.memory, port, value, size);
    dbt_map_changed(&cpu->base);
    x86_io_breakpoint(cpu, port, size);
}

/* Port, size -> value. */
uint64_t x86_helper_in(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if (!x86_io_permitted(cpu, (uint16_t)a, (unsigned)b)) {
        return 0;
    }
    return x86_io_read(cpu, (uint16_t)a, (unsigned)b);
}

/* Port, value, size. */
uint64_t x86_helper_out(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if (x86_io_permitted(cpu, (uint16_t)a, (unsigned)c)) {
        x86_io_write(cpu, (uint16_t)a, b, (unsigned)c);
    }
    return 0;
}
