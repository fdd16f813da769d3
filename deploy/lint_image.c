/* The image against the container definition that runs it: what would fail only once the task starts. */
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint_private.h"
#include "deploy/task_json.h"

/* Fargate's disk without ephemeralStorage; the unpacked image is on it. */
#define FARGATE_GIB 20

struct image_lint {
	struct lint *l;
	const json_t *c;
	const struct lint_place *at;
	const struct image_facts *facts;
};

static void architecture(const struct image_lint *k)
{
	const json_t *platform = json_object_get(k->l->td->json, "runtimePlatform");
	const char *wanted = aws_text(platform, "cpuArchitecture");
	const char *os = aws_text(platform, "operatingSystemFamily");
	const char *have = k->facts->config->platform.arch;
	const struct lint_place *at = LINT_AT(LINT_AT(&lint_top, "runtimePlatform"),
					      "cpuArchitecture");
	const char *means = strcmp(wanted, "ARM64") == 0 ? "arm64" : "amd64";

	if (have && strcmp(have, means) != 0)
		lint_say(
			k->l, at,
			"the image is for %s and the task would run on %s%s: \"exec format error\". "
			"Set it to %s, or build with --platform linux/%s",
			have, *wanted ? wanted : "X86_64", *wanted ? "" : " (the default)",
			strcmp(have, "arm64") == 0 ? "ARM64" : "X86_64", means);
	if (str_starts(os, "WINDOWS"))
		lint_say(k->l, LINT_AT(at->up, "operatingSystemFamily"),
			 "the image is for Linux and the task would run on %s", os);
}

static void program(const struct image_lint *k)
{
	const struct image_program *p = &k->facts->program;
	const char *name = p->name ? p->name : "";

	if (p->state == PROGRAM_NONE)
		lint_say(
			k->l, k->at,
			"neither the image nor the task says what to run: add CMD or ENTRYPOINT to "
			"the Dockerfile, or command here");
	else if (p->state == PROGRAM_MISSING && strchr(name, '/'))
		lint_say(k->l, k->at, "the image has no %s, which it is to run", name);
	else if (p->state == PROGRAM_MISSING)
		lint_say(k->l, k->at,
			 "\"%s\", which the image is to run, is in no folder of its PATH", name);
	else if (p->state == PROGRAM_NOT_EXECUTABLE)
		lint_say(
			k->l, k->at,
			"%s, which the image is to run, is not executable: COPY --chmod=755, or RUN "
			"chmod +x",
			p->path);
}

static void interpreter(const struct image_lint *k)
{
	const struct image_program *p = &k->facts->program;

	if (p->crlf)
		lint_say(
			k->l, k->at,
			"the first line of %s ends with a carriage return, which becomes part of the "
			"interpreter's name: \"no such file or directory\". Save it with line ends of "
			"Unix",
			p->path);
	else if (p->interpreter)
		lint_say(k->l, k->at, "%s is a script for %s, which the image lacks", p->path,
			 p->interpreter);
}

/* A port that the image does not expose may be wrong; an image that exposes none says nothing of it. */
static void exposed(const struct image_lint *k)
{
	const struct strlist *have = &k->facts->config->exposed_ports;
	AUTO_FREE char *all = strlist_join(have, ", ");
	json_t *port;
	size_t i;

	json_array_foreach (json_object_get(k->c, "portMappings"), i, port) {
		const char *protocol = aws_text(port, "protocol");
		int64_t number = task_json_int(port, "containerPort", 0);
		AUTO_FREE char *text = xstrfmt("%lld/%s", (long long)number,
					       *protocol ? protocol : "tcp");

		if (number && have->n && !strlist_has(have, text))
			lint_say(k->l, LINT_IN(LINT_AT(k->at, "portMappings"), i, NULL),
				 "the image exposes %s, not %s", all, text);
	}
	if (!i && have->n)
		lint_say(k->l, k->at, "the image exposes %s, and no port is mapped", all);
}

/* On Fargate layers and files share the disk. */
static void disk(const struct image_lint *k)
{
	const json_t *storage = json_object_get(k->l->td->json, "ephemeralStorage");
	int64_t gib = task_json_int(storage, "sizeInGiB", FARGATE_GIB);
	int64_t need = k->facts->uncompressed + k->facts->compressed;
	const struct lint_place *at = LINT_AT(&lint_top, "ephemeralStorage");
	double shown = (double)need / (1 << 30);

	if (!k->l->fargate || k->facts->uncompressed < 0)
		return;
	if (need > gib << 30)
		lint_say(k->l, at,
			 "pulling and unpacking the image takes %.1f GiB, the task has %lld: set "
			 "sizeInGiB",
			 shown, (long long)gib);
	else if (need > (gib << 30) / 10 * 8)
		lint_say_as(
			k->l, LINT_WARNING, at,
			"the image takes %.1f GiB of the task's %lld, little is left for its files",
			shown, (long long)gib);
}

static void shell(const struct image_lint *k)
{
	const json_t *check = json_object_get(k->c, "healthCheck");
	const json_t *command = json_object_get(check, "command");

	if (!k->facts->has_shell &&
	    strcmp(task_json_string(json_array_get(command, 0)), "CMD-SHELL") == 0)
		lint_say(
			k->l, LINT_AT(LINT_AT(k->at, "healthCheck"), "command"),
			"CMD-SHELL needs /bin/sh, which the image lacks: write \"CMD\" and a program "
			"with its arguments");
}

static void user(const struct image_lint *k)
{
	const char *mine = aws_text(k->c, "user");
	const char *name = *mine ? mine : k->facts->config->user;

	if (!k->facts->user_known)
		lint_say(k->l, *mine ? LINT_AT(k->at, "user") : k->at,
			 "user %s is not in the image's /etc/passwd", name);
}

struct image_rule {
	struct lint_rule rule;
	bool needs_tree; /* means something only when every layer could be looked into */
	void (*check)(const struct image_lint *k);
};

static const struct image_rule rules[] = {
	{{"image-architecture", LINT_ERROR, NULL, NULL}, false, architecture},
	{{"image-program", LINT_ERROR, NULL, NULL}, false, program},
	{{"image-interpreter", LINT_ERROR, NULL, NULL}, true, interpreter},
	{{"image-port", LINT_WARNING, NULL, NULL}, false, exposed},
	{{"image-disk", LINT_ERROR, NULL, NULL}, true, disk},
	{{"image-shell", LINT_ERROR, NULL, NULL}, true, shell},
	{{"image-user", LINT_ERROR, NULL, NULL}, true, user},
};

void lint_image(const struct task_definition *td, const json_t *container,
		const struct image_facts *facts, struct lint_findings *out)
{
	struct lint l = {
		.td = td,
		.out = out,
		.network_mode = aws_text(td->json, "networkMode"),
		.fargate = task_definition_is_fargate(td),
	};
	struct image_lint k = {.l = &l, .c = container, .facts = facts};
	size_t index;
	json_t *c;

	json_array_foreach (task_definition_containers(td), index, c)
		if (c == container)
			break;
	k.at = LINT_CONTAINER(index, aws_text(container, "name"));
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		l.rule = &rules[i].rule;
		if (facts->tree_known || !rules[i].needs_tree)
			rules[i].check(&k);
	}
}

static const struct strlist *words_of(const json_t *container, const char *key, struct strlist *out)
{
	json_t *list = json_object_get(container, key), *word;
	size_t i;

	json_array_foreach (list, i, word)
		strlist_add(out, task_json_string(word));
	return out->n ? out : NULL;
}

static const char *given(const json_t *container, const char *key)
{
	const char *text = aws_text(container, key);

	return *text ? text : NULL;
}

int lint_image_in(const struct task_definition *td, const json_t *container, struct store *s,
		  const struct image *image, struct lint_findings *out, struct error *err)
{
	AUTO(strlist) entrypoint = STRLIST_INIT;
	AUTO(strlist) command = STRLIST_INIT;
	AUTO(image_facts) facts = {.config = NULL};
	struct image_overrides instead = {
		.entrypoint = words_of(container, "entryPoint", &entrypoint),
		.command = words_of(container, "command", &command),
		.user = given(container, "user"),
		.working_dir = given(container, "workingDirectory"),
	};
	json_t *variable;
	size_t i;

	json_array_foreach (json_object_get(container, "environment"), i, variable)
		if (strcmp(aws_text(variable, "name"), "PATH") == 0)
			instead.path = given(variable, "value");
	if (image_facts_read(&facts, s, image, &instead, err) < 0)
		return error_wrap(err, "look into the image");
	lint_image(td, container, &facts, out);
	return 0;
}
