/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86-64 guest of the translator: its CPU state and the names of its bits.
 *
 * References: Intel SDM (253665..) and AMD APM (24592..); where they differ we do as AMD, whose
 * vendor string we show.
 *
 * Where the code is: decode.c (bytes -> X86Insn), translate.c and tr_*.c (X86Insn -> IR), flags.c,
 * mmu.c (page walks), segment.c (descriptors, far transfers), exception.c (delivery, IRET),
 * task.c, system.c (control registers), msr.c, cpuid.c, lapic.c, string.c (REP), x87*.c, sse*.c,
 * state.c (X86State <-> X86Cpu), isa.c (the GuestIsa).
 *
 * Threads: the vCPU's own, but for the LAPIC, whose part says otherwise.
 */
#pragma once

#include "engine/dbt/run/cpu.h"
#include "engine/x86/state.h"

typedef struct X86Lapic_ X86LapicDev; /* lapic.h */

/* RFLAGS */
enum {
    FLAG_CF = 1 << 0,
    FLAG_FIXED = 1 << 1,
    FLAG_PF = 1 << 2,
    FLAG_AF = 1 << 4,
    FLAG_ZF = 1 << 6,
    FLAG_SF = 1 << 7,
    FLAG_TF = 1 << 8,
    FLAG_IF = 1 << 9,
    FLAG_DF = 1 << 10,
    FLAG_OF = 1 << 11,
    FLAG_IOPL = 3 << 12,
    FLAG_NT = 1 << 14,
    FLAG_RF = 1 << 16,
    FLAG_VM = 1 << 17,
    FLAG_AC = 1 << 18,
    FLAG_VIF = 1 << 19,
    FLAG_VIP = 1 << 20,
    FLAG_ID = 1 << 21,
    FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

#define CR0_PE (1U << 0)
#define CR0_MP (1U << 1)
#define CR0_EM (1U << 2)
#define CR0_TS (1U << 3)
#define CR0_ET (1U << 4)
#define CR0_NE (1U << 5)
#define CR0_WP (1U << 16)
#define CR0_AM (1U << 18)
#define CR0_NW (1U << 29)
#define CR0_CD (1U << 30)
#define CR0_PG (1U << 31)

#define CR4_VME        (1U << 0)
#define CR4_PVI        (1U << 1)
#define CR4_TSD        (1U << 2)
#define CR4_DE         (1U << 3)
#define CR4_PSE        (1U << 4)
#define CR4_PAE        (1U << 5)
#define CR4_MCE        (1U << 6)
#define CR4_PGE        (1U << 7)
#define CR4_PCE        (1U << 8)
#define CR4_OSFXSR     (1U << 9)
#define CR4_OSXMMEXCPT (1U << 10)
#define CR4_UMIP       (1U << 11)
#define CR4_FSGSBASE   (1U << 16)
#define CR4_PCIDE      (1U << 17)
#define CR4_OSXSAVE    (1U << 18)
#define CR4_SMEP       (1U << 20)
#define CR4_SMAP       (1U << 21)

#define EFER_SCE (1U << 0)
#define EFER_LME (1U << 8)
#define EFER_LMA (1U << 10)
#define EFER_NXE (1U << 11)

/* Exception vectors */
enum {
    EXC_DE,
    EXC_DB,
    EXC_NMI,
    EXC_BP,
    EXC_OF,
    EXC_BR,
    EXC_UD,
    EXC_NM,
    EXC_DF,
    EXC_TS = 10,
    EXC_NP,
    EXC_SS,
    EXC_GP,
    EXC_PF,
    EXC_MF = 16,
    EXC_AC,
    EXC_MC,
    EXC_XM,
};

/* mmu indexes */
enum { MMU_USER, MMU_KERNEL, MMU_KERNEL_AC };

/* Bits of X86Segment.attributes. */
enum {
    SEG_TYPE = 0xf,
    SEG_ACCESSED = 1 << 0,
    SEG_WRITABLE = 1 << 1, /* data: writable; code: readable */
    SEG_DOWN = 1 << 2,     /* data: expand-down; code: conforming */
    SEG_CODE = 1 << 3,
    SEG_S = 1 << 4, /* not a system segment */
    SEG_DPL_SHIFT = 5,
    SEG_P = 1 << 7,
    SEG_AVL = 1 << 12,
    SEG_L = 1 << 13,
    SEG_DB = 1 << 14,
    SEG_G = 1 << 15,
};

/* 80-bit register of the x87, as FSAVE stores it. */
typedef struct X87Reg {
    uint64_t mantissa;
    uint16_t sign_exponent;
    uint16_t zero[3];
} X87Reg;

typedef union X86Vector {
    uint8_t u8[32];
    uint16_t u16[16];
    uint32_t u32[8];
    uint64_t u64[4];
    float f32[8];
    double f64[4];
} X86Vector;

enum { X86_XMM_SCRATCH = 16, X86_VECTORS = 20 }; /* 16..19: memory operands, temporaries */

/* What the guest raised, waiting for x86_deliver(). */
typedef struct X86Exception {
    uint8_t vector;
    bool has_error;
    bool soft;     /* INT n, INT3, INTO: DPL of the gate is checked */
    bool external; /* interrupt or NMI: sets EXT in error codes, can't make #DF */
    uint32_t error_code;
    uint64_t dr6; /* of #DB: bits to set in DR6 */
} X86Exception;

typedef struct X86Cpu {
    DbtCpu base;

    uint64_t gpr[16];
    /* XMM n in the low 16 bytes of each */
    X86Vector vector[X86_VECTORS] __attribute__((aligned(16)));
    uint32_t mxcsr;
    uint64_t eflags; /* without FLAGS_ARITH: those are in base.flags; bit 1 set */

    X86Segment segment[X86_SEGMENTS], ldtr, tr;
    X86Table gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, xcr0;
    uint64_t dr[4], dr6, dr7;
    uint64_t pdptr[4];
    uint8_t cpl;

    /* x87: st[] are the physical registers; ST(i) is st[(top + i) & 7] */
    X87Reg st[8];
    uint16_t fcw, fsw; /* fsw without TOP */
    uint8_t top, tags; /* tags: a bit per physical register, 1 = not empty */
    bool x87_exact;    /* KEY_X87 is set even if all exceptions are masked */
    uint64_t fip, fdp;
    uint64_t fop, fcs, fds; /* 16 bits; wide so that a back end need not store each one */

    X86Msrs msr; /* .tsc, .tsc_deadline: unused, see tsc_offset and the LAPIC */
    uint64_t tsc_offset;

    X86Exception exception;
    bool shadow_sti, shadow_mov_ss; /* interrupts wait until the next instruction is done */
    bool nmi_pending, nmi_blocked;  /* nmi_pending is atomic */
    uint8_t init_pending, sipi_pending, sipi_vector; /* atomic */
    bool wait_for_sipi;
    uint64_t debug_pending;  /* DR6 bits of a #DB trap that waits for the instruction's end */
    bool repeating;          /* a string instruction stands between two of its repetitions */
    X86Event injected;       /* a restored state's event: x86_poll delivers it first */
    bool injected_interrupt; /* it came from the LAPIC or the 8259s, or is INT n */
    bool task_switched;      /* a task switch was committed: faults belong to the new task */
    X86LapicDev *lapic;
    const struct X86CpuModel *model; /* fixed after create */
} X86Cpu;

#define X86_OFFSET(member) ((unsigned)offsetof(X86Cpu, member))

static inline X86Cpu *x86_cpu(DbtCpu *cpu)
{
    return (X86Cpu *)cpu;
}

static inline bool x86_long_mode(const X86Cpu *cpu)
{
    return cpu->msr.efer & EFER_LMA;
}

/* 64-bit code, not compatibility mode. */
static inline bool x86_code64(const X86Cpu *cpu)
{
    return x86_long_mode(cpu) && (cpu->segment[X86_CS].attributes & SEG_L);
}

static inline bool x86_v8086(const X86Cpu *cpu)
{
    return cpu->eflags & FLAG_VM;
}

/* Protected mode, but not virtual-8086. */
static inline bool x86_protected(const X86Cpu *cpu)
{
    return (cpu->cr0 & CR0_PE) && !x86_v8086(cpu);
}

static inline unsigned x86_iopl(const X86Cpu *cpu)
{
    return (cpu->eflags >> 12) & 3;
}

/* The mmu index of an instruction's own data accesses now. */
static inline unsigned x86_mmu_index(const X86Cpu *cpu)
{
    return cpu->cpl == 3 ? MMU_USER : cpu->eflags & FLAG_AC ? MMU_KERNEL_AC : MMU_KERNEL;
}

/* isa.c: the guest. */
extern const GuestIsa x86_isa;

/* --- exception.c ------------------------------------------------------------------------------
 * Raise: record an exception and set base.fault.  Always returns false, so that a function can
 * "return x86_raise(...)".  The instruction's registers must be as at its start. */
bool x86_raise(X86Cpu *cpu, unsigned vector);
bool x86_raise_error(X86Cpu *cpu, unsigned vector, uint32_t error_code);
/* Deliver the recorded exception at base.pc (isa->deliver). */
void x86_deliver(DbtCpu *cpu);
/* INT n and its kin from an instruction that ends at @next_pc: faults like any instruction. */
bool x86_software_interrupt(X86Cpu *cpu, unsigned vector, uint64_t next_pc);
/* isa->poll. */
void x86_poll(DbtCpu *cpu);
/* Reset as by RESET# or INIT (SDM table 10-1); keeps what INIT keeps. */
void x86_reset(X86Cpu *cpu, bool init);

/* --- flags.c ----------------------------------------------------------------------------------
 * Operations of a flag record.  Each has four sizes, +0 8 bits .. +3 64 bits. */
enum {
    FOP_FLAGS = 0,  /* a = the arithmetic flags themselves */
    FOP_ADD = 4,    /* a + b */
    FOP_ADC = 8,    /* a + b + c, c 0 or 1 */
    FOP_SUB = 12,   /* a - b; also CMP, NEG (0 - b) */
    FOP_SBB = 16,   /* a - b - c */
    FOP_LOGIC = 20, /* a = result; CF = OF = AF = 0 */
    FOP_INC = 24,   /* a = result, b = CF before (0 or 1) */
    FOP_DEC = 28,
    FOP_SHL = 32, /* a = operand, b = count, 1..63 after masking, c = result */
    FOP_SHR = 36,
    FOP_SAR = 40,
    FOP_MUL = 44, /* a = result's low half, b != 0: CF = OF = 1 */
    FOP_BMI = 48, /* a = result, b = CF; OF = 0: BLSI, BLSR, BLSMSK, ANDN, BZHI */
    FOPS = 52,
};
/* The arithmetic flags of a record. */
uint64_t x86_flags_of(const FlagRecord *record);
/* All of RFLAGS, and setting it (only bits of @mask; FLAG_FIXED stays). */
uint64_t x86_get_rflags(X86Cpu *cpu);
void x86_set_rflags(X86Cpu *cpu, uint64_t value, uint64_t mask);

/* --- segment.c -------------------------------------------------------------------------------- */
/* Offset of pc in CS. */
uint64_t x86_rip(const X86Cpu *cpu);
/* Load data segment @index (DS, ES, FS, GS, SS) with @selector as MOV does. */
bool x86_load_segment(X86Cpu *cpu, unsigned index, uint16_t selector);
/* Set CS without checks and derive the CPL, for real mode and internal use. */
void x86_set_segment(X86Cpu *cpu, unsigned index, const X86Segment *value);

/* --- debug.c: isa->debug_changed, isa->watch and isa->watches_page ---------------------------- */
void x86_debug_changed(DbtCpu *cpu);
void x86_watch(DbtCpu *cpu, uint64_t gva, unsigned size, MmuAccess access);
bool x86_watches_page(const DbtCpu *cpu, uint64_t gva_page);
/* For KEY_DEBUG: a debugger or DR7 watches something, and traps must come at once. */
bool x86_watches(const X86Cpu *cpu);

/* --- io.c: ports, for IN, OUT, INS and OUTS ------------------------------------------------------
 * Permission by IOPL and the TSS's bitmap; raises #GP(0). */
bool x86_io_permitted(X86Cpu *cpu, uint16_t port, unsigned size);
/* The access itself, and I/O breakpoints. */
uint64_t x86_io_read(X86Cpu *cpu, uint16_t port, unsigned size);
void x86_io_write(X86Cpu *cpu, uint16_t port, uint64_t value, unsigned size);

/* --- state.c, lapic.c: what the engine's glue calls ----------------------------------------------
 * Complete a vCPU that dbt_cpu_new() made: model, LAPIC, state after power-on. */
struct X86CpuModel;
void x86_vcpu_init(DbtCpu *cpu, const struct X86CpuModel *model);
void x86_vcpu_free(DbtCpu *cpu);
void x86_vcpu_cpuid(DbtCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
/* While the vCPU stands still. */
void x86_get_state(DbtCpu *cpu, X86State *ret_state);
bool x86_set_state(DbtCpu *cpu, const X86State *state, GError **error);
/* From any thread: a message FEExxxxxh, the 8259s' INTR line, an NMI. */
void x86_msi(DbtVm *vm, uint64_t address, uint32_t data);
void x86_extint(DbtVm *vm, bool raised);
void x86_nmi(DbtCpu *cpu);
/* isa->mmio: the LAPIC's page. */
bool x86_mmio(DbtCpu *cpu, uint64_t gpa, unsigned size, bool write, uint64_t *value);

/* --- system.c, msr.c, cpuid.c ----------------------------------------------------------------- */
bool x86_write_cr(X86Cpu *cpu, unsigned index, uint64_t value);
/* False, with nothing raised, where RDMSR and WRMSR raise #GP(0). */
bool x86_read_msr(X86Cpu *cpu, uint32_t index, uint64_t *ret_value);
bool x86_write_msr(X86Cpu *cpu, uint32_t index, uint64_t value);
void x86_cpuid(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
uint64_t x86_tsc(X86Cpu *cpu);

/* --- mmu.c ------------------------------------------------------------------------------------ */
/* isa->walk and isa->misaligned. */
bool x86_page_walk(DbtCpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu, bool probe,
                   MmuPage *ret_page);
void x86_misaligned(DbtCpu *cpu, uint64_t gva, unsigned mmu);
/* Physical address bits the CPU has (MAXPHYADDR). */
/* Firmware maps all that can be: with 46 bits older OVMF fills 256 MiB with page tables. */
enum { X86_PHYS_BITS = 40 };
