#include "sandbox/emulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "sandbox/exit_program.h"

/* As the kernel shows what Debian 12 registers. */
#define ARM64_MAGIC "7f454c460201010000000000000000000200b700"
#define ARM64_MASK  "ffffffffffffff00fffffffffffffffffeffffff"
#define ENTRY(state, flags, magic)                                        \
	state "\ninterpreter /usr/bin/qemu-aarch64-static\nflags: " flags \
	      "\noffset 0\nmagic " magic "\nmask " ARM64_MASK "\n"

struct table {
	char *folder;
};

static void table_init(struct table *t)
{
	assert_int_equal(fs_make_temp_dir("/tmp", "slipway-binfmt-", &t->folder, NULL), 0);
}

static void table_add(const struct table *t, const char *name, const char *text)
{
	AUTO_FREE char *path = path_join(t->folder, name);

	assert_int_equal(fs_write_file_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void table_release(struct table *t)
{
	fs_remove_tree(AT_FDCWD, t->folder, NULL);
	free(t->folder);
}
CLEANUP_RELEASE(table)

static void find(struct emulator *e, const struct table *t, const char *platform)
{
	AUTO(platform) p = {0};

	assert_int_equal(platform_parse(&p, platform, NULL), 0);
	emulator_find(e, &p, t->folder);
}

static void assert_problem(const struct emulator *e, bool in_image, const char *problem,
			   const char *remedy)
{
	AUTO(platform) p = {0};
	AUTO_FREE char *how = NULL, *said = NULL;

	assert_int_equal(platform_parse(&p, "linux/mips64le", NULL), 0);
	said = emulator_problem(e, &p, in_image, &how);
	if (!problem) {
		assert_null(said);
		return;
	}
	assert_non_null(strstr(said, problem));
	assert_non_null(strstr(how, remedy));
}

/* An architecture that no machine of ours is, so that only the table decides. */
#define FOREIGN       "linux/mips64le"
#define FOREIGN_MAGIC "7f454c4602010100000000000000000002000800"

static void what_a_table_tells(void **state)
{
	static const struct {
		const char *status, *entry;
		enum emulator_state wanted;
		bool in_image;
		const char *problem, *remedy;
	} rows[] = {
		{"enabled\n", ENTRY("enabled", "F", FOREIGN_MAGIC), EMULATOR_FIXED, false, NULL,
		 NULL},
		{"enabled\n", ENTRY("enabled", "POCF", FOREIGN_MAGIC), EMULATOR_FIXED, false, NULL,
		 NULL},
		{"enabled\n", ENTRY("enabled", "", FOREIGN_MAGIC), EMULATOR_IN_IMAGE, true, NULL,
		 NULL},
		{"enabled\n", ENTRY("enabled", "OC", FOREIGN_MAGIC), EMULATOR_IN_IMAGE, false,
		 "qemu-x is registered without the flag F (fix binary)",
		 "/usr/bin/qemu-aarch64-static"},
		{"enabled\n", ENTRY("disabled", "F", FOREIGN_MAGIC), EMULATOR_DISABLED, false,
		 "qemu-x is registered but disabled", "echo 1 > /proc/sys/fs/binfmt_misc/qemu-x"},
		{"disabled\n", ENTRY("enabled", "F", FOREIGN_MAGIC), EMULATOR_DISABLED, false,
		 "binfmt_misc is disabled", "echo 1 > /proc/sys/fs/binfmt_misc/status"},
		{"enabled\n", ENTRY("enabled", "F", ARM64_MAGIC), EMULATOR_MISSING, false,
		 "no emulator is registered", "qemu-user-static"},
		{"enabled\n", "enabled\ninterpreter /usr/bin/jar\nflags: \nextension .jar\n",
		 EMULATOR_MISSING, false, "no emulator is registered", "tonistiigi/binfmt"},
		{"enabled\n", "garbage", EMULATOR_MISSING, false, "no emulator is registered",
		 "qemu-user-static"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(table) t;
		AUTO(emulator) e;

		table_init(&t);
		table_add(&t, "status", rows[i].status);
		table_add(&t, "register", "");
		table_add(&t, "qemu-x", rows[i].entry);
		find(&e, &t, FOREIGN);
		assert_int_equal(e.state, rows[i].wanted);
		assert_problem(&e, rows[i].in_image, rows[i].problem, rows[i].remedy);
	}
}

static void the_best_of_several(void **state)
{
	AUTO(table) t;
	AUTO(emulator) e;

	(void)state;
	table_init(&t);
	table_add(&t, "status", "enabled\n");
	table_add(&t, "a-off", ENTRY("disabled", "F", FOREIGN_MAGIC));
	table_add(&t, "b-plain", ENTRY("enabled", "", FOREIGN_MAGIC));
	table_add(&t, "c-fixed", ENTRY("enabled", "F", FOREIGN_MAGIC));
	table_add(&t, "d-plain", ENTRY("enabled", "", FOREIGN_MAGIC));
	find(&e, &t, FOREIGN);
	assert_int_equal(e.state, EMULATOR_FIXED);
	assert_string_equal(e.name, "c-fixed");
}

static void without_a_table(void **state)
{
	AUTO(table) t;
	AUTO(platform) host = {0};
	AUTO(emulator) missing;
	AUTO(emulator) native;
	AUTO(emulator) unknown;
	AUTO(emulator) windows;

	(void)state;
	table_init(&t);
	platform_host(&host);
	AUTO_FREE char *here = platform_format(&host);

	find(&native, &t, here);
	assert_int_equal(native.state, EMULATOR_NATIVE);
	find(&unknown, &t, "linux/sparc64");
	assert_int_equal(unknown.state, EMULATOR_MISSING);
	find(&windows, &t, "windows/amd64");
	assert_int_equal(windows.state, EMULATOR_FOREIGN_OS);
	/* The machine's own table may have an emulator: then the program runs all the same. */
	find(&missing, &t, FOREIGN);
	assert_true(missing.state == EMULATOR_NO_BINFMT || missing.state == EMULATOR_NATIVE);
}

/* Each of these was run with qemu-user 7.2 and ended with 0. */
static void programs(void **state)
{
	static const char arm64[] =
		"7f454c460201010000000000000000000200b700010000007800400000000000"
		"4000000000000000000000000000000000000000400038000100000000000000"
		"0100000005000000000000000000000000004000000000000000400000000000"
		"8400000000000000840000000000000000000100000000"
		"00a80b80d2000080d2010000d4";
	static const char i386[] =
		"7f454c460101010000000000000000000200030001000000540040003400000000"
		"0000000000000034002000010000000000000001000000000000000000400000"
		"0040005d0000005d0000000500000000000100b80100000031dbcd80";
	static const char s390x[] =
		"7f454c4602020100000000000000000000020016000000010000000000400078"
		"0000000000000040000000000000000000000000004000380001000000000000"
		"0000000100000005000000000000000000000000004000000000000000400000"
		"000000000000007e000000000000007e0000000000010000a72900000a01";
	static const struct {
		const char *arch, *bytes;
	} rows[] = {{"arm64", arm64}, {"386", i386}, {"s390x", s390x}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t program[EXIT_PROGRAM_SIZE];
		AUTO(strbuf) text = STRBUF_INIT;
		size_t len;

		assert_true(exit_program_make(rows[i].arch, program, &len));
		for (size_t k = 0; k < len; k++)
			strbuf_printf(&text, "%02x", program[k]);
		assert_string_equal(text.buf, rows[i].bytes);
	}
	uint8_t none[EXIT_PROGRAM_SIZE];
	size_t len;

	assert_false(exit_program_make("wasm", none, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_table_tells),
		cmocka_unit_test(the_best_of_several),
		cmocka_unit_test(without_a_table),
		cmocka_unit_test(programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
