#include "sandbox/exit_program.h"

#include <elf.h>
#include <string.h>

#include "base/alloc.h"

#define LOAD_ADDRESS 0x400000 /* a multiple of every architecture's page size */
#define PAGE         0x10000

static const struct machine {
	const char *arch;
	uint16_t machine;
	bool wide, big;    /* 64 bits; most significant byte first */
	uint32_t flags;    /* e_flags of its ABI */
	size_t n_words;    /* instructions of 4 bytes; 0: bytes */
	uint32_t words[3]; /* system call number, status 0, the call */
	const char *bytes;
	size_t n_bytes;
} machines[] = {
	/* mov eax, 1; xor ebx, ebx; int 0x80 */
	{.arch = "386",
	 .machine = EM_386,
	 .bytes = "\xb8\x01\x00\x00\x00\x31\xdb\xcd\x80",
	 .n_bytes = 9},
	/* mov eax, 60; xor edi, edi; syscall */
	{.arch = "amd64",
	 .machine = EM_X86_64,
	 .wide = true,
	 .bytes = "\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05",
	 .n_bytes = 9},
	/* mov r7, #1; mov r0, #0; svc 0 */
	{.arch = "arm",
	 .machine = EM_ARM,
	 .flags = 0x05000200,
	 .n_words = 3,
	 .words = {0xe3a07001, 0xe3a00000, 0xef000000}},
	/* mov x8, #93; mov x0, #0; svc #0 */
	{.arch = "arm64",
	 .machine = EM_AARCH64,
	 .wide = true,
	 .n_words = 3,
	 .words = {0xd2800ba8, 0xd2800000, 0xd4000001}},
	/* addi.w $a7, $zero, 93; addi.w $a0, $zero, 0; syscall 0 */
	{.arch = "loong64",
	 .machine = 258,
	 .wide = true,
	 .flags = 0x43,
	 .n_words = 3,
	 .words = {0x0281740b, 0x02800004, 0x002b0000}},
	/* addiu $v0, $zero, 4001; addiu $a0, $zero, 0; syscall */
	{.arch = "mips",
	 .machine = EM_MIPS,
	 .big = true,
	 .flags = 0x70001005,
	 .n_words = 3,
	 .words = {0x24020fa1, 0x24040000, 0x0000000c}},
	{.arch = "mips64",
	 .machine = EM_MIPS,
	 .wide = true,
	 .big = true,
	 .flags = 0x80000007,
	 .n_words = 3,
	 .words = {0x240213c2, 0x24040000, 0x0000000c}},
	{.arch = "mips64le",
	 .machine = EM_MIPS,
	 .wide = true,
	 .flags = 0x80000007,
	 .n_words = 3,
	 .words = {0x240213c2, 0x24040000, 0x0000000c}},
	{.arch = "mipsle",
	 .machine = EM_MIPS,
	 .flags = 0x70001005,
	 .n_words = 3,
	 .words = {0x24020fa1, 0x24040000, 0x0000000c}},
	/* li r0, 1; li r3, 0; sc */
	{.arch = "ppc64le",
	 .machine = EM_PPC64,
	 .wide = true,
	 .flags = 2,
	 .n_words = 3,
	 .words = {0x38000001, 0x38600000, 0x44000002}},
	/* li a7, 93; li a0, 0; ecall */
	{.arch = "riscv64",
	 .machine = EM_RISCV,
	 .wide = true,
	 .flags = 5,
	 .n_words = 3,
	 .words = {0x05d00893, 0x00000513, 0x00000073}},
	/* lghi %r2, 0; svc 1 */
	{.arch = "s390x",
	 .machine = EM_S390,
	 .wide = true,
	 .big = true,
	 .bytes = "\xa7\x29\x00\x00\x0a\x01",
	 .n_bytes = 6},
};

struct writer {
	uint8_t *out;
	size_t len;
	const struct machine *m;
};

/* A number of n bytes in the architecture's order. */
static void put(struct writer *w, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t shift = 8 * (w->m->big ? n - 1 - i : i);

		w->out[w->len++] = (uint8_t)(value >> shift);
	}
}

/* An address, offset or size. */
static void put_word(struct writer *w, uint64_t value)
{
	put(w, value, w->m->wide ? 8 : 4);
}

static void put_header(struct writer *w, size_t head)
{
	const struct machine *m = w->m;

	memcpy(w->out, ELFMAG, SELFMAG);
	w->out[EI_CLASS] = m->wide ? ELFCLASS64 : ELFCLASS32;
	w->out[EI_DATA] = m->big ? ELFDATA2MSB : ELFDATA2LSB;
	w->out[EI_VERSION] = EV_CURRENT;
	w->len = EI_NIDENT;
	put(w, ET_EXEC, 2);
	put(w, m->machine, 2);
	put(w, EV_CURRENT, 4);
	put_word(w, LOAD_ADDRESS + head); /* entry */
	put_word(w, m->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
	put_word(w, 0); /* no sections */
	put(w, m->flags, 4);
	put(w, m->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr), 2);
	put(w, m->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), 2);
	put(w, 1, 2); /* one segment */
	put(w, 0, 6);
}

/* The whole file, read and executed. */
static void put_segment(struct writer *w, size_t total)
{
	put(w, PT_LOAD, 4);
	if (w->m->wide)
		put(w, PF_R | PF_X, 4);
	put_word(w, 0);
	put_word(w, LOAD_ADDRESS);
	put_word(w, LOAD_ADDRESS);
	put_word(w, total);
	put_word(w, total);
	if (!w->m->wide)
		put(w, PF_R | PF_X, 4);
	put_word(w, PAGE);
}

bool exit_program_make(const char *arch, uint8_t out[EXIT_PROGRAM_SIZE], size_t *len)
{
	struct writer w = {.out = out};
	size_t head;

	for (size_t i = 0; i < ARRAY_SIZE(machines) && !w.m; i++)
		if (strcmp(machines[i].arch, arch) == 0)
			w.m = &machines[i];
	if (!w.m)
		return false;
	memset(out, 0, EXIT_PROGRAM_SIZE);
	head = w.m->wide ? sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)
			 : sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
	put_header(&w, head);
	put_segment(&w, head + w.m->n_words * 4 + w.m->n_bytes);
	for (size_t i = 0; i < w.m->n_words; i++)
		put(&w, w.m->words[i], 4);
	if (w.m->n_bytes)
		memcpy(out + w.len, w.m->bytes, w.m->n_bytes);
	*len = w.len + w.m->n_bytes;
	return true;
}
