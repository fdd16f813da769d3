#include "builder/plan.h"

#include "key_sample.h"

/* Words that give the same text when they are joined in other ways, with whatever separator. */
static const char *const words[] = {"",    "a",    "b",   "ab",  "ba",    "a=b", "=",
				    "a b", "a\nb", "a-b", "-b-", "x-B=z", ",",   ":"};
static const char *const platforms[] = {"linux/amd64", "linux/arm64", "linux/arm/v7"};
static const char *const kinds[] = {
	"type=cache,target=/m",       "type=cache,target=/m,id=a",
	"type=tmpfs,target=/m",       "type=cache,target=/m,sharing=locked",
	"type=bind,target=/m",        "type=bind,target=/m,rw",
	"type=secret,id=a,target=/m", "type=secret,id=a,target=/m,env=b",
	"type=cache,target=/m,ro",    "type=cache,target=/m,mode=0700",
};

#define MAX_LIST 3

/* Indices into the tables; -1: NULL or none. */
struct input {
	int chain, argv[MAX_LIST], env[MAX_LIST][2], cwd, user, hostname, script, platform, network;
	int mounts[MAX_LIST], targets[MAX_LIST], contents[MAX_LIST], hosts[MAX_LIST];
	int limit, compression;
};

#define N_FIELDS (sizeof(struct input) / sizeof(int))

/* A value of that field: below zero it is NULL or left out. */
static int roll_field(struct dice *d, size_t field)
{
	size_t at = field * sizeof(int);

	if (at == offsetof(struct input, platform))
		return (int)roll(d, ARRAY_SIZE(platforms));
	if (at == offsetof(struct input, network) || at == offsetof(struct input, compression))
		return (int)roll(d, 2);
	if (at >= offsetof(struct input, mounts) && at < offsetof(struct input, targets))
		return (int)roll(d, ARRAY_SIZE(kinds) * 2) - (int)ARRAY_SIZE(kinds);
	return (int)roll(d, ARRAY_SIZE(words) + 1) - 1;
}

static void roll_input(struct dice *d, struct input *in)
{
	for (size_t i = 0; i < N_FIELDS; i++)
		((int *)in)[i] = roll_field(d, i);
}

static const char *word(int index)
{
	return index < 0 ? NULL : words[index];
}

/* Up to the first of the characters in end. */
static void write_words(struct strbuf *out, const int *list, const char *end)
{
	strbuf_putc(out, '[');
	for (size_t i = 0; i < MAX_LIST; i++)
		if (list[i] >= 0)
			strbuf_printf(out, "<%.*s>", (int)strcspn(words[list[i]], end),
				      words[list[i]]);
	strbuf_putc(out, ']');
}

static void write_word(struct strbuf *out, const char *name, int index)
{
	if (index >= 0)
		strbuf_printf(out, " %s<%s>", name, words[index]);
}

/* Whether a variable of that name comes again: then that one counts, in the place of the first. */
static void write_env(struct strbuf *out, const struct input *in)
{
	for (size_t i = 0; i < MAX_LIST; i++) {
		const char *name = word(in->env[i][0]);
		int value = in->env[i][1];
		bool seen = false;

		for (size_t k = 0; name && k < MAX_LIST; k++) {
			if (!word(in->env[k][0]) || strcmp(word(in->env[k][0]), name) != 0)
				continue;
			seen |= k < i;
			value = in->env[k][1];
		}
		if (name && !seen)
			strbuf_printf(out, " env<%s>%s<%s>", name, value < 0 ? "none" : "=",
				      value < 0 ? "" : words[value]);
	}
}

static bool has_content(const struct input *in, size_t i)
{
	return str_starts(kinds[in->mounts[i]], "type=bind") && in->contents[i] >= 0;
}

static void write_notation(struct strbuf *out, const struct input *in)
{
	strbuf_printf(out, "chain %d limit %d compression %d argv", in->chain, in->limit,
		      in->compression);
	write_words(out, in->argv, "");
	write_env(out, in);
	write_word(out, "cwd", in->cwd);
	write_word(out, "user", in->user);
	write_word(out, "hostname", in->hostname);
	write_word(out, "script", in->script);
	strbuf_printf(out, " platform %d network %d hosts", in->platform, in->network);
	write_words(out, in->hosts, ":=");
	for (size_t i = 0; i < MAX_LIST; i++) {
		if (in->mounts[i] < 0)
			continue;
		strbuf_printf(out, " mount(%s", kinds[in->mounts[i]]);
		write_word(out, "target", in->targets[i]);
		if (has_content(in, i))
			write_word(out, "content", in->contents[i]);
		strbuf_putc(out, ')');
	}
}

/* What plan_run() is given, and owns. */
struct made {
	struct strlist argv, hosts;
	struct strmap env, args;
	struct platform platform;
	struct run_mount mounts[MAX_LIST];
	char *targets[MAX_LIST];
	struct mount_input inputs[MAX_LIST];
	size_t n_mounts;
};

static void make(struct made *m, const struct input *in)
{
	struct expand_scope scope = {.lookup = no_variable};

	*m = (struct made){.n_mounts = 0};
	assert_ok(platform_parse(&m->platform, platforms[in->platform], err));
	for (size_t i = 0; i < MAX_LIST; i++) {
		size_t k = m->n_mounts;

		if (in->argv[i] >= 0)
			strlist_add(&m->argv, word(in->argv[i]));
		if (in->hosts[i] >= 0)
			strlist_add(&m->hosts, word(in->hosts[i]));
		if (in->env[i][0] >= 0)
			strmap_set(&m->env, word(in->env[i][0]), word(in->env[i][1]));
		if (in->mounts[i] < 0)
			continue;
		assert_ok(mount_parse(&m->mounts[k], kinds[in->mounts[i]], &scope, NULL, err));
		m->targets[k] = xstrdup_null(word(in->targets[i]));
		m->inputs[k].has_content = has_content(in, i);
		if (has_content(in, i))
			sha256_buf(word(in->contents[i]), strlen(word(in->contents[i])),
				   m->inputs[k].content);
		m->n_mounts++;
	}
}

static void made_release(struct made *m)
{
	for (size_t i = 0; i < m->n_mounts; i++) {
		run_mount_release(&m->mounts[i]);
		free(m->targets[i]);
	}
	strlist_release(&m->argv);
	strlist_release(&m->hosts);
	strmap_release(&m->env);
	platform_release(&m->platform);
}

static void compute(const struct input *in, char out[SHA256_HEX_SIZE])
{
	struct layer_options layers = {
		.compression = in->compression ? COMPRESSION_ZSTD : COMPRESSION_GZIP,
		.mtime_limit = in->limit,
	};
	const struct digest chain = digest_of((const char *)&in->chain, sizeof(in->chain));
	AUTO(step_key) key = {.hex = ""};
	struct made m;

	make(&m, in);
	const struct run_plan plan = {
		.argv = &m.argv,
		.env = &m.env,
		.args = &m.args,
		.cwd = word(in->cwd),
		.user = word(in->user),
		.hostname = word(in->hostname),
		.script = word(in->script),
		.network = in->network,
		.platform = &m.platform,
		.hosts = &m.hosts,
		.mounts = m.mounts,
		.targets = m.targets,
		.inputs = m.inputs,
		.n_mounts = m.n_mounts,
	};

	step_key_begin(&key, "run", &chain, &layers);
	plan_run(&key, &plan);
	step_key_finish(&key);
	memcpy(out, key.hex, SHA256_HEX_SIZE);
	made_release(&m);
}

/* Half of the inputs differ from the one before in one field, or in none. */
static void runs_have_one_key_exactly_when_they_are_equal(void **state)
{
	size_t rounds = sample_count(1, 50), per_round = sample_count(6000, 20000), n_equal;
	struct dice dice = {.state = 873};
	struct sample sample = {.n = 0};
	struct input in;

	(void)state;
	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < per_round; i++) {
			AUTO(strbuf) notation = STRBUF_INIT;
			size_t field = roll(&dice, N_FIELDS);
			char key[SHA256_HEX_SIZE];

			if (i == 0 || roll(&dice, 2))
				roll_input(&dice, &in);
			else
				((int *)&in)[field] = roll_field(&dice, field);
			compute(&in, key);
			write_notation(&notation, &in);
			sample_add(&sample, key, &notation);
		}
		sample_check(&sample, &n_equal);
		assert_true(n_equal > per_round / 100);
	}
	sample_release(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_have_one_key_exactly_when_they_are_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
