#include "builder/scope.h"

#include "build_fixture.h"
#include "dockerfile/scope.h"

/* Rows of dockerfile.md 5: what $X is at the end of the last stage, and which ENV the image keeps. */
struct row {
	const char *name;
	const char *file;
	const char *build_args; /* "A=1 B= C": C has no value */
	const char *x;          /* NULL: unset */
};

static const struct row rows[] = {
	{"a global is not seen in a stage", "ARG X=g\nFROM scratch\n", "", NULL},
	{"ARG without default imports the global", "ARG X=g\nFROM scratch\nARG X\n", "", "g"},
	{"a default beats the global", "ARG X=g\nFROM scratch\nARG X=d\n", "", "d"},
	{"--build-arg beats both", "ARG X=g\nFROM scratch\nARG X=d\n", "X=b", "b"},
	{"a global default uses earlier globals", "ARG Y=1\nARG X=a$Y\nFROM scratch\nARG X\n", "",
	 "a1"},
	{"without any value it stays unset", "FROM scratch\nARG X\n", "", NULL},
	{"... and ENV from before remains", "FROM scratch\nENV X=e\nARG X\n", "", "e"},
	{"--build-arg X= is set but empty", "FROM scratch\nARG X=d\n", "X=", ""},
	{"--build-arg X of an unset variable is none", "FROM scratch\nARG X=d\n", "X", "d"},
	{"undeclared build args do not count", "FROM scratch\n", "X=b", NULL},
	{"build args are not expanded", "FROM scratch\nARG Y=1\nARG X\n", "X=$Y", "$Y"},
	{"ENV then ARG: the later wins", "FROM scratch\nENV X=env\nARG X=arg\n", "", "arg"},
	{"ARG then ENV: the later wins", "FROM scratch\nARG X=arg\nENV X=env\n", "", "env"},
	{"... even against --build-arg", "FROM scratch\nARG X=arg\nENV X=env\n", "X=b", "env"},
	{"one ENV line sees what was before it", "FROM scratch\nENV A=old\nENV A=new X=$A\n", "",
	 "old"},
	{"ARGs of one line see each other", "FROM scratch\nARG A=1 X=$A\n", "", "1"},
	{"a platform argument is empty without ARG", "FROM scratch\nENV X=${TARGETOS-none}\n", "",
	 "none"},
	{"... and there with it", "FROM scratch\nARG TARGETARCH\nENV X=$TARGETARCH\n", "", "arm64"},
	{"... and can be overridden", "FROM scratch\nARG TARGETARCH\nENV X=$TARGETARCH\n",
	 "TARGETARCH=mips", "mips"},
	{"a child stage has its parent's ARGs", "FROM scratch AS p\nARG X=p\nFROM p\n", "", "p"},
	{"... and the image's ENV over them", "FROM scratch AS p\nENV X=e\nARG X=a\nFROM p\n", "",
	 "e"},
	{"... and its ARG without default finds none of the parent's to import",
	 "FROM scratch AS p\nARG X=p\nFROM p\nARG X\n", "", "p"},
	{"proxies are not variables", "FROM scratch\n", "HTTP_PROXY=x X=y", NULL},
};

static void read_build_args(struct strmap *out, const char *text)
{
	AUTO(strlist) words = STRLIST_INIT;

	strlist_split(&words, text, ' ');
	for (size_t i = 0; i < words.n; i++) {
		char *equals = strchr(words.items[i], '=');

		if (equals)
			*equals = '\0';
		if (*words.items[i])
			strmap_set(out, words.items[i], equals ? equals + 1 : NULL);
	}
}

/* As the builder goes through a stage, with nothing but ARG and ENV in it. */
static void play(struct scope *scope, struct strmap *image_env,
		 const struct dockerfile_stage *stage, const struct strmap *build_args,
		 const struct strmap *globals)
{
	for (size_t i = 0; i < stage->n_instructions; i++) {
		const struct instruction *ins = &stage->instructions[i];
		AUTO(instruction) ready = INSTRUCTION_INIT;
		struct expand_scope view = scope_expand(scope);
		const char *value;

		if (ins->kind == INSTRUCTION_ARG) {
			for (size_t k = 0; k < ins->pairs.n; k++)
				assert_ok(scope_declare(scope, ins, k, build_args, globals, &value,
							err));
			continue;
		}
		assert_int_equal(ins->kind, INSTRUCTION_ENV);
		assert_ok(instruction_expand(&ready, ins, &view, err));
		for (size_t k = 0; k < ready.pairs.n; k++) {
			scope_set_env(scope, ready.pairs.items[k].key, ready.pairs.items[k].value);
			strmap_set(image_env, ready.pairs.items[k].key, ready.pairs.items[k].value);
		}
	}
}

static void check_row(const struct row *row)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(strmap) build_args = STRMAP_INIT;
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(strmap) image_env = STRMAP_INIT;
	AUTO(scope) former = SCOPE_INIT;
	const char *x;

	read_build_args(&build_args, row->build_args);
	assert_ok(dockerfile_parse(&file, "Dockerfile", row->file, strlen(row->file), err));
	assert_ok(graph_eval_globals(&globals, file, &build_args, "linux/arm64", "linux/amd64",
				     NULL, err));
	for (int i = 0; i < file->n_stages; i++) {
		AUTO(strlist) env = STRLIST_INIT;
		struct scope scope = SCOPE_INIT;

		strmap_to_env(&image_env, &env);
		scope_start(&scope, i ? &former : NULL, &env, file->escape);
		play(&scope, &image_env, &file->stages[i], &build_args, &globals);
		scope_release(&former);
		former = scope;
	}
	x = strmap_get(&former.env, "X");
	if ((x == NULL) != (row->x == NULL) || (x && strcmp(x, row->x) != 0))
		fail_msg("%s: X is %s, not %s", row->name, x ? x : "unset",
			 row->x ? row->x : "unset");
}

static void variables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i]);
}

static void image_keeps_env_when_an_arg_hides_it(void **state)
{
	AUTO_PTR(dockerfile) file = parse_stage("ENV V=env\nARG V=arg");
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(strmap) image_env = STRMAP_INIT;
	AUTO(strlist) none = STRLIST_INIT;
	AUTO(scope) scope = SCOPE_INIT;

	(void)state;
	scope_start(&scope, NULL, &none, '\\');
	play(&scope, &image_env, &file->stages[0], NULL, &globals);
	assert_string_equal(strmap_get(&scope.env, "V"), "arg");
	assert_string_equal(strmap_get(&image_env, "V"), "env");
}

static void history_lists_declared_args(void **state)
{
	AUTO_PTR(dockerfile) file = parse_stage("ARG B=2\nARG A\nARG B=3");
	AUTO(strmap) globals = STRMAP_INIT;
	AUTO(strmap) image_env = STRMAP_INIT;
	AUTO(strlist) none = STRLIST_INIT;
	AUTO(scope) scope = SCOPE_INIT;
	AUTO(strbuf) text = STRBUF_INIT;

	(void)state;
	scope_start(&scope, NULL, &none, '\\');
	scope_history(&scope, &text);
	assert_string_equal(text.buf, "");
	play(&scope, &image_env, &file->stages[0], NULL, &globals);
	scope_history(&scope, &text);
	assert_string_equal(text.buf, "|2 B=3 A= ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables),
		cmocka_unit_test(image_keeps_env_when_an_arg_hides_it),
		cmocka_unit_test(history_lists_declared_args),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
