#include "sandbox/emulator.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/process.h"
#include "sandbox/exit_program.h"
#include "sandbox/memory_program.h"

#define LIMIT_ENTRY  8192 /* of a file of binfmt_misc */
#define LIMIT_MAGIC  256
#define PROBE_MILLIS 10000

/* A file of binfmt_misc, as the kernel shows it. */
struct entry {
	bool enabled, fixed, is_magic;
	char *interpreter;
	size_t offset, n_magic, n_mask;
	uint8_t magic[LIMIT_MAGIC], mask[LIMIT_MAGIC];
};

static void entry_release(struct entry *e)
{
	free(e->interpreter);
}
CLEANUP_RELEASE(entry)

static size_t read_hex(const char *text, uint8_t out[LIMIT_MAGIC])
{
	size_t n = 0;

	while (n < LIMIT_MAGIC && isxdigit((unsigned char)text[0]) &&
	       isxdigit((unsigned char)text[1])) {
		const char pair[3] = {text[0], text[1], '\0'};

		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		text += 2;
	}
	return n;
}

static void read_line(struct entry *e, const char *line)
{
	const char *value = strchr(line, ' ');

	value = value ? value + 1 : "";
	if (strcmp(line, "enabled") == 0) {
		e->enabled = true;
	} else if (str_starts(line, "interpreter ")) {
		free(e->interpreter);
		e->interpreter = xstrdup(value);
	} else if (str_starts(line, "flags:")) {
		e->fixed = strchr(line + strlen("flags:"), 'F') != NULL;
	} else if (str_starts(line, "offset ")) {
		e->offset = strtoul(value, NULL, 10);
	} else if (str_starts(line, "magic ")) {
		e->is_magic = true;
		e->n_magic = read_hex(value, e->magic);
	} else if (str_starts(line, "mask ")) {
		e->n_mask = read_hex(value, e->mask);
	}
}

static bool read_entry(struct entry *e, const char *folder, const char *name)
{
	AUTO_FREE char *path = path_join(folder, name);
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strlist) lines = STRLIST_INIT;

	if (fs_read_file(path, &text, LIMIT_ENTRY, NULL) < 0)
		return false;
	strlist_split(&lines, text.buf, '\n');
	for (size_t i = 0; i < lines.n; i++)
		read_line(e, lines.items[i]);
	return e->is_magic && e->interpreter;
}

static bool entry_fits(const struct entry *e, const uint8_t *program, size_t len)
{
	if (!e->n_magic || e->offset > len || e->n_magic > len - e->offset)
		return false;
	for (size_t i = 0; i < e->n_magic; i++) {
		uint8_t mask = i < e->n_mask ? e->mask[i] : 0xff;

		if ((program[e->offset + i] ^ e->magic[i]) & mask)
			return false;
	}
	return true;
}

static void take(struct emulator *out, enum emulator_state state, const char *name, struct entry *e)
{
	emulator_release(out);
	out->state = state;
	out->name = xstrdup(name);
	out->interpreter = take_ptr(e->interpreter);
}

static void consider(struct emulator *out, const char *folder, const char *name,
		     const uint8_t *program, size_t len)
{
	AUTO(entry) e = {0};
	enum emulator_state state;

	if (!read_entry(&e, folder, name) || !entry_fits(&e, program, len))
		return;
	state = !e.enabled ? EMULATOR_DISABLED : e.fixed ? EMULATOR_FIXED : EMULATOR_IN_IMAGE;
	/* The states are in the order of their use. */
	if (!out->name || state < out->state)
		take(out, state, name, &e);
}

/* What the table tells; false: there is none to read. */
static bool look(struct emulator *out, const char *folder, const uint8_t *program, size_t len)
{
	AUTO_FREE char *status_path = path_join(folder, "status");
	AUTO(strbuf) status = STRBUF_INIT;
	struct dirent *found;
	DIR *dir;

	if (fs_read_file(status_path, &status, LIMIT_ENTRY, NULL) < 0)
		return false;
	dir = opendir(folder);
	if (!dir)
		return false;
	out->state = EMULATOR_MISSING;
	while ((found = readdir(dir)))
		if (found->d_name[0] != '.' && strcmp(found->d_name, "status") != 0 &&
		    strcmp(found->d_name, "register") != 0)
			consider(out, folder, found->d_name, program, len);
	closedir(dir);
	if (out->name && str_starts(status.buf, "disabled")) {
		emulator_release(out);
		out->state = EMULATOR_DISABLED;
	}
	return true;
}

static bool runs(const uint8_t *program, size_t len)
{
	AUTO_FD int fd = memory_program_make("slipway-probe", program, len, NULL);
	AUTO_FREE char *path = NULL;
	char name[] = "probe";
	char *argv[] = {name, NULL}, *envp[] = {NULL};
	int status = -1;

	if (fd < 0)
		return false;
	path = xstrfmt("/proc/self/fd/%d", fd);
	const struct process_options o = {
		.path = path,
		.argv = argv,
		.envp = envp,
		.keep_fds = &fd,
		.n_keep_fds = 1,
	};

	return process_capture(&o, NULL, 0, NULL, NULL, PROBE_MILLIS, NULL, &status, NULL) == 0 &&
	       status == 0;
}

/* What a kernel may run by itself, if it was built so and the CPU can. */
static bool is_sibling(const char *arch, const char *host)
{
	return (strcmp(arch, "386") == 0 && strcmp(host, "amd64") == 0) ||
	       (strcmp(arch, "arm") == 0 && strcmp(host, "arm64") == 0);
}

void emulator_find(struct emulator *out, const struct platform *p, const char *binfmt)
{
	AUTO(platform) host = {0};
	uint8_t program[EXIT_PROGRAM_SIZE];
	bool has_table;
	size_t len;

	*out = (struct emulator){.state = EMULATOR_NATIVE};
	platform_host(&host);
	if (p->os && strcmp(p->os, host.os) != 0) {
		out->state = EMULATOR_FOREIGN_OS;
		return;
	}
	if (!p->arch || strcmp(p->arch, host.arch) == 0)
		return;
	if (!exit_program_make(p->arch, program, &len)) {
		out->state = EMULATOR_MISSING;
		return;
	}
	has_table = look(out, binfmt, program, len);
	if (has_table && (out->state != EMULATOR_MISSING || !is_sibling(p->arch, host.arch)))
		return;
	/* An emulator may be registered where this process cannot look. */
	if (runs(program, len)) {
		emulator_release(out);
		out->state = EMULATOR_NATIVE;
	} else if (!has_table) {
		out->state = EMULATOR_NO_BINFMT;
	}
}

void emulator_release(struct emulator *e)
{
	if (!e)
		return;
	free(e->name);
	free(e->interpreter);
	*e = (struct emulator){.state = EMULATOR_NATIVE};
}

static char *install_remedy(const struct platform *p)
{
	return xstrfmt(
		"install qemu-user-static and binfmt-support (Debian, Ubuntu), or run: docker run "
		"--privileged --rm tonistiigi/binfmt --install %s",
		p->arch);
}

char *emulator_problem(const struct emulator *e, const struct platform *p, bool in_image,
		       char **remedy)
{
	AUTO_FREE char *install = NULL;

	*remedy = NULL;
	switch (e->state) {
	case EMULATOR_NATIVE:
	case EMULATOR_FIXED:
		return NULL;
	case EMULATOR_IN_IMAGE:
		if (in_image)
			return NULL;
		*remedy = xstrfmt(
			"register it with F (Debian's qemu-user-static with binfmt-support "
			"does), or put a static emulator into the image at %s",
			e->interpreter);
		return xstrfmt(
			"the emulator %s is registered without the flag F (fix binary), so its "
			"program %s would have to be in the image, and is not",
			e->name, e->interpreter);
	case EMULATOR_DISABLED:
		*remedy = xstrfmt("as root: echo 1 > " EMULATOR_BINFMT "/%s",
				  e->name ? e->name : "status");
		return e->name ? xstrfmt("the emulator %s is registered but disabled", e->name)
			       : xstrdup("binfmt_misc is disabled");
	case EMULATOR_MISSING:
		*remedy = install_remedy(p);
		return xstrdup("no emulator is registered for it in binfmt_misc");
	case EMULATOR_NO_BINFMT:
		install = install_remedy(p);
		*remedy = xstrfmt("as root: mount -t binfmt_misc none " EMULATOR_BINFMT ", then %s",
				  install);
		return xstrdup("no emulator runs: binfmt_misc is not mounted on " EMULATOR_BINFMT);
	case EMULATOR_FOREIGN_OS:
		break;
	}
	return xstrfmt("programs of %s do not run on Linux", p->os);
}

void emulator_platforms(struct strlist *out, const char *binfmt)
{
	static const char *const archs[] = {"amd64",   "arm64",   "arm",    "386",
					    "riscv64", "ppc64le", "s390x",  "mips64le",
					    "loong64", "mips",    "mipsle", "mips64"};
	AUTO(platform) host = {0};

	platform_host(&host);
	strlist_take(out, platform_format(&host));
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		AUTO_FREE char *text = xstrfmt("%s/%s", host.os, archs[i]);
		AUTO(platform) p = {0};
		AUTO(emulator) e = {.state = EMULATOR_MISSING};

		if (strcmp(archs[i], host.arch) == 0 || platform_parse(&p, text, NULL) < 0)
			continue;
		emulator_find(&e, &p, binfmt);
		if (e.state == EMULATOR_NATIVE || e.state == EMULATOR_FIXED)
			strlist_take(out, platform_format(&p));
	}
}
