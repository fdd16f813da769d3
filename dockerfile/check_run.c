#include "dockerfile/check_run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"

struct manager {
	const char *tool;
	const char *verbs;  /* " install add ": of these; NULL: whatever it does */
	const char *refuse; /* the option that makes it keep nothing; NULL: none */
	const char *mount;  /* behind "--mount=type=cache," */
};

#define APT   "target=/var/cache/apt,sharing=locked"
#define PIP   "target=/root/.cache/pip"
#define VERBS " install upgrade dist-upgrade full-upgrade build-dep "

static const struct manager managers[] = {
	{"apk", " add ", "--no-cache", "target=/var/cache/apk,sharing=locked"},
	{"apt", VERBS, NULL, APT},
	{"apt-get", VERBS, NULL, APT},
	{"bun", " install i ", "--no-cache", "target=/root/.bun/install/cache"},
	{"cargo", " build install fetch test ", NULL, "target=/usr/local/cargo/registry"},
	{"composer", " install update require ", "--no-cache", "target=/tmp/cache"},
	{"dnf", " install upgrade update groupinstall ", NULL,
	 "target=/var/cache/dnf,sharing=locked"},
	{"go", " build install mod get test ", NULL, "target=/go/pkg/mod"},
	{"gradle", NULL, NULL, "target=/root/.gradle"},
	{"gradlew", NULL, NULL, "target=/root/.gradle"},
	{"mvn", NULL, NULL, "target=/root/.m2"},
	{"mvnw", NULL, NULL, "target=/root/.m2"},
	{"npm", " ci install i ", NULL, "target=/root/.npm"},
	{"pip", " install wheel download ", "--no-cache-dir", PIP},
	{"pip3", " install wheel download ", "--no-cache-dir", PIP},
	{"pnpm", " install i ", NULL, "target=/root/.local/share/pnpm/store"},
	{"uv", " sync pip ", "--no-cache", "target=/root/.cache/uv"},
	{"yarn", " install ", NULL, "target=/usr/local/share/.cache/yarn"},
	{"yum", " install upgrade update groupinstall ", NULL,
	 "target=/var/cache/yum,sharing=locked"},
};

static const struct manager *find_manager(const char *word)
{
	const char *name = path_base(word);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(managers); i++)
		if (strcmp(managers[i].tool, name) == 0)
			return &managers[i];
	return NULL;
}

/* Words that stand in front of a command and are none. */
static bool is_prefix(const char *word)
{
	static const char *const words[] = {"!",  "do",   "else", "elif", "env",  "exec",
					    "if", "sudo", "then", "time", "while"};
	const char *equals = strchr(word, '=');
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return equals && equals > word && strcspn(word, "/-\"'$") > (size_t)(equals - word);
}

static const char *first_verb(const struct strlist *words, size_t from)
{
	while (from < words->n && words->items[from][0] == '-')
		from++;
	return from < words->n ? words->items[from] : "";
}

/* One command, its words: the manager whose downloads it throws away; *verb: what it does, "" for anything. */
static const struct manager *examine(const struct strlist *words, const char **verb)
{
	const struct manager *m;
	AUTO_FREE char *spaced = NULL;
	size_t at = 0;

	while (at < words->n && is_prefix(words->items[at]))
		at++;
	/* python -m pip install */
	if (at + 2 < words->n && str_starts(path_base(words->items[at]), "python") &&
	    strcmp(words->items[at + 1], "-m") == 0)
		at += 2;
	m = at < words->n ? find_manager(words->items[at]) : NULL;
	if (!m || (m->refuse && strlist_has(words, m->refuse)))
		return NULL;
	*verb = first_verb(words, at + 1);
	spaced = xstrfmt(" %s ", *verb);
	if (!**verb || (m->verbs && !strstr(m->verbs, spaced)))
		return NULL;
	return m;
}

static void suggest(struct check_list *list, const struct instruction *at, const struct manager *m,
		    const char *verb)
{
	check_add(list, CHECK_CACHE_MOUNT, at,
		  "\"%s%s%s\" downloads again what an earlier build had: RUN --mount=type=cache,%s "
		  "keeps it",
		  m->tool, m->verbs ? " " : "", m->verbs ? verb : "", m->mount);
}

/* A shell's text, as far as this rule needs it: commands end at ; & | ( ) and line ends, words at blanks. */
static void check_text(struct check_list *list, const struct instruction *at, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ";&|()\n");
		AUTO_FREE char *command = xstrndup(text, len);
		AUTO(strlist) words = STRLIST_INIT;
		const struct manager *m;
		const char *verb = "", *word = command;

		while (*(word += strspn(word, " \t\r"))) {
			size_t n = strcspn(word, " \t\r");

			strlist_addn(&words, word, n);
			word += n;
		}
		m = examine(&words, &verb);
		if (m) {
			suggest(list, at, m, verb);
			return;
		}
		text += len;
		text += *text != '\0';
	}
}

void check_run(struct check_list *list, const struct instruction *at,
	       const struct run_instruction *run)
{
	const struct manager *m;
	const char *verb = "";
	size_t i;

	if (run->network == RUN_NETWORK_NONE)
		return;
	for (i = 0; i < run->n_mounts; i++)
		if (run->mounts[i].kind == MOUNT_CACHE)
			return;
	if (run->command.shell) {
		check_text(list, at, run->script ? run->script : run->command.text);
		return;
	}
	m = examine(&run->command.argv, &verb);
	if (m)
		suggest(list, at, m, verb);
}
