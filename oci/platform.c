#include "oci/platform.h"

#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/strlist.h"

/* uname's and users' words for an architecture; sorted by alias. */
static const struct alias {
	const char *alias, *arch, *variant;
} aliases[] = {
	{"aarch64", "arm64", NULL},     {"armel", "arm", "v6"},
	{"armhf", "arm", "v7"},         {"armv5tel", "arm", "v5"},
	{"armv6l", "arm", "v6"},        {"armv7l", "arm", "v7"},
	{"armv8l", "arm", "v7"},        {"i386", "386", NULL},
	{"i486", "386", NULL},          {"i586", "386", NULL},
	{"i686", "386", NULL},          {"loongarch64", "loong64", NULL},
	{"mips64el", "mips64le", NULL}, {"mipsel", "mipsle", NULL},
	{"ppc64el", "ppc64le", NULL},   {"x86-64", "amd64", NULL},
	{"x86_64", "amd64", NULL},
};

static const char *const known_os[] = {
	"aix",     "android", "darwin",  "dragonfly", "freebsd", "hurd",
	"illumos", "ios",     "js",      "linux",     "nacl",    "netbsd",
	"openbsd", "plan9",   "solaris", "wasip1",    "windows", "zos",
};

static const char *const known_arch[] = {
	"386",      "amd64", "arm",     "arm64",   "loong64", "mips",    "mips64", "mipsle",
	"mips64le", "ppc64", "ppc64le", "riscv64", "s390x",   "sparc64", "wasm",
};

static bool is_known(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static void replace(char **field, const char *value)
{
	free(*field);
	*field = xstrdup_null(value);
}

static void lower(char *s)
{
	for (; s && *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

void platform_normalize(struct platform *p)
{
	lower(p->os);
	lower(p->arch);
	lower(p->variant);
	if (p->os && strcmp(p->os, "macos") == 0)
		replace(&p->os, "darwin");
	if (!p->arch)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcmp(p->arch, aliases[i].alias) == 0) {
			replace(&p->arch, aliases[i].arch);
			if (aliases[i].variant && !p->variant)
				replace(&p->variant, aliases[i].variant);
			break;
		}
	/* "8" is written for "v8" in old indexes. */
	if (p->variant && isdigit((unsigned char)p->variant[0])) {
		char *v = xstrfmt("v%s", p->variant);

		free(p->variant);
		p->variant = v;
	}
	if (strcmp(p->arch, "arm") == 0) {
		if (!p->variant || !*p->variant)
			replace(&p->variant, "v7");
	} else if (p->variant &&
		   (!*p->variant ||
		    (strcmp(p->arch, "arm64") == 0 && strcmp(p->variant, "v8") == 0) ||
		    (strcmp(p->arch, "amd64") == 0 && strcmp(p->variant, "v1") == 0))) {
		replace(&p->variant, NULL);
	}
}

void platform_host(struct platform *out)
{
	struct utsname u;

	memset(out, 0, sizeof(*out));
	out->os = xstrdup("linux");
	out->arch = xstrdup(uname(&u) == 0 ? u.machine : "unknown");
	platform_normalize(out);
}

static bool is_word(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n > 0 && s[n] == '\0';
}

/* One word is an operating system or an architecture; the host gives the other. */
static int parse_word(struct platform *p, const char *word, const char *text, struct error *err)
{
	AUTO(platform) host = {0};

	platform_host(&host);
	p->os = xstrdup(word);
	platform_normalize(p);
	if (is_known(p->os, known_os, ARRAY_SIZE(known_os))) {
		p->arch = take_ptr(host.arch);
		p->variant = take_ptr(host.variant);
		return 0;
	}
	p->arch = p->os;
	p->os = take_ptr(host.os);
	platform_normalize(p);
	if (!is_known(p->arch, known_arch, ARRAY_SIZE(known_arch)))
		return error_set(err, ERROR_USAGE,
				 "platform \"%s\": unknown operating system or architecture; "
				 "write for example linux/amd64 or linux/arm64",
				 text);
	return 0;
}

int platform_parse(struct platform *out, const char *text, struct error *err)
{
	AUTO(strlist) parts = STRLIST_INIT;
	AUTO(platform) p = {0};

	strlist_split(&parts, text, '/');
	for (size_t i = 0; i < parts.n; i++)
		if (!is_word(parts.items[i]) || parts.n > 3)
			return error_set(
				err, ERROR_USAGE,
				"platform \"%s\" is not of the form os/arch or os/arch/variant",
				text);
	if (parts.n == 1) {
		if (parse_word(&p, parts.items[0], text, err) < 0)
			return -1;
	} else {
		p.os = xstrdup(parts.items[0]);
		p.arch = xstrdup(parts.items[1]);
		p.variant = parts.n == 3 ? xstrdup(parts.items[2]) : NULL;
		platform_normalize(&p);
	}
	*out = p;
	memset(&p, 0, sizeof(p));
	return 0;
}

void platform_copy(struct platform *dst, const struct platform *src)
{
	struct platform copy = {
		.os = xstrdup_null(src->os),
		.arch = xstrdup_null(src->arch),
		.variant = xstrdup_null(src->variant),
		.os_version = xstrdup_null(src->os_version),
	};

	*dst = copy;
}

void platform_release(struct platform *p)
{
	if (!p)
		return;
	free(p->os);
	free(p->arch);
	free(p->variant);
	free(p->os_version);
	memset(p, 0, sizeof(*p));
}

/* "v7" -> 7; the default of arch when absent; -1 for other words. */
static int variant_level(const struct platform *p)
{
	if (!p->variant)
		return strcmp(p->arch, "arm64") == 0 ? 8 : 1;
	if (p->variant[0] == 'v' && isdigit((unsigned char)p->variant[1]) && !p->variant[2])
		return p->variant[1] - '0';
	return -1;
}

static bool has_levels(const char *arch)
{
	return strcmp(arch, "arm") == 0 || strcmp(arch, "arm64") == 0 || strcmp(arch, "amd64") == 0;
}

static bool equal_or_null(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

int platform_match(const struct platform *want, const struct platform *have)
{
	AUTO(platform) w = {0};
	AUTO(platform) h = {0};

	if (!want->os || !want->arch || !have->os || !have->arch)
		return 0;
	platform_copy(&w, want);
	platform_copy(&h, have);
	platform_normalize(&w);
	platform_normalize(&h);
	if (strcmp(w.os, h.os) != 0 || strcmp(w.arch, h.arch) != 0)
		return 0;
	if (w.os_version && h.os_version && strcmp(w.os_version, h.os_version) != 0)
		return 0;
	if (equal_or_null(w.variant, h.variant))
		return 100;
	if (!has_levels(w.arch))
		return w.variant && h.variant ? 0 : 1;
	int wanted = variant_level(&w), offered = variant_level(&h);

	return offered > 0 && offered <= wanted ? offered : 0;
}

char *platform_format(const struct platform *p)
{
	AUTO(strbuf) text = STRBUF_INIT;

	strbuf_puts(&text, p->os ? p->os : "unknown");
	strbuf_putc(&text, '/');
	strbuf_puts(&text, p->arch ? p->arch : "unknown");
	if (p->variant) {
		strbuf_putc(&text, '/');
		strbuf_puts(&text, p->variant);
	}
	return strbuf_detach(&text, NULL);
}
