/* slipway task-definition: deploy's task definitions one by one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "cli/image_changes.h"
#include "cli/json_print.h"
#include "cli/subcommand.h"
#include "cli/task_flags.h"
#include "cli/verb.h"
#include "deploy/task_compare.h"
#include "deploy/task_register.h"

/* As diff(1) and kubectl diff end when there is a difference. */
#define EXIT_DIFFERS 1

struct making {
	struct verb verb;
	struct task_flags flags;
	const char *platform;
	char *name; /* owned; when no flag gives it */
	struct task_definition td;
};

static void making_release(struct making *m)
{
	verb_release(&m->verb);
	task_flags_release(&m->flags);
	task_definition_release(&m->td);
	free(m->name);
}
CLEANUP_RELEASE(making)

/* The image's last word, when no name is given: docker.io/library/app:1 is "app". */
static int name_from(struct making *m, const char *name, struct error *err)
{
	AUTO(image_ref) ref = {0};

	if (image_ref_parse(&ref, name, err) < 0)
		return -1;
	if (!m->flags.options.name) {
		m->name = task_name_valid(path_base(ref.path));
		m->flags.options.name = m->name;
	}
	return 0;
}

/* The image when it is in the store, else *image stays NULL. */
static int find_image(struct app *a, const struct making *m, const char *name, struct image **image,
		      struct error *err)
{
	AUTO(error) local = ERROR_INIT;

	if (app_load_image(a, name, m->platform, NULL, image, &local) == 0)
		return 0;
	if (local.kind != ERROR_NOT_FOUND)
		return error_move(err, &local);
	report_log(a->reporter, LOG_WARNING,
		   "%s is not in the store: its ports, health check and architecture are not known "
		   "(slipway pull %s)",
		   name, name);
	return 0;
}

/* Makes the task definition that the flags describe and checks it, with the image when there is one. */
static int make_checked(struct app *a, struct making *m, const char *name, bool role_follows,
			struct error *err)
{
	AUTO_PTR(image) image = NULL;
	AUTO(lint_findings) found = {.items = NULL};
	json_t *container;

	if (!name && !m->flags.file)
		return error_set(err, ERROR_USAGE,
				 "name the image, or a file with --task-definition");
	if (task_flags_read(&m->flags, a, err) < 0 ||
	    (name && (name_from(m, name, err) < 0 || find_image(a, m, name, &image, err) < 0)) ||
	    task_flags_make(&m->flags, a, image ? &image->config : NULL, name, &m->td, err) < 0)
		return -1;
	lint_definition(&m->td, &(struct lint_options){.role_follows = role_follows}, &found);
	if (image && (task_definition_choose(&m->td, m->flags.container, m->flags.options.name,
					     &container, err) < 0 ||
		      lint_image_in(&m->td, container, a->store, image, &found, err) < 0))
		return -1;
	return task_print_findings(&found, &m->td, err);
}

#define OPTION_ROW_PLATFORM(m)                                                          \
	{                                                                               \
		0, "platform", OPTION_STRING, "OS/ARCH",                                \
			"Choose this platform of a multi-platform image", &(m).platform \
	}

static int run_render(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "task-definition render",
		.args = "[OPTIONS] [IMAGE]",
		.summary = "Print the task definition for an image",
		.max_args = 1,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(making) m = {.name = NULL};
	struct option options[] = {OPTION_ROWS_TASK(m.flags), OPTION_ROW_PLATFORM(m),
				   OPTION_ROWS_AWS(a)};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (make_checked(a, &m, args.n ? args.items[0] : NULL, true, err) < 0)
		return -1;
	json_print(m.td.json);
	return 0;
}

static int run_register(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "task-definition register",
		.args = "[OPTIONS] [IMAGE]",
		.summary = "Register the task definition when it differs, and print its ARN",
		.max_args = 1,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(making) m = {.name = NULL};
	AUTO_FREE char *arn = NULL;
	bool made = false;
	struct option options[] = {OPTION_ROWS_TASK(m.flags), OPTION_ROW_PLATFORM(m),
				   OPTION_ROWS_AWS(a)};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (make_checked(a, &m, args.n ? args.items[0] : NULL, false, err) < 0)
		return -1;
	if (verb_begin(&m.verb, a, NULL, err) < 0)
		return -1;
	if (task_definition_register(&m.verb.target, &m.td, &arn, &made, err) < 0)
		return verb_end(a, -1, err);
	if (!made)
		report_log(a->reporter, LOG_INFO, "%s is the same: nothing to register",
			   path_base(arn));
	puts(arn);
	return 0;
}

/* The other side of a diff: a file; else what ECS has by that name, which is the family's when word is NULL. */
static int read_other(struct app *a, struct making *m, const char *word,
		      struct task_definition *out, struct error *err)
{
	const char *name = word ? word : task_definition_family(&m->td);
	AUTO_FREE char *arn = NULL;

	if (word && (strcmp(word, "-") == 0 || strchr(word, '.') || access(word, F_OK) == 0))
		return task_read_file(out, word, err);
	if (verb_begin(&m->verb, a, NULL, err) < 0)
		return -1;
	if (task_definition_describe(&m->verb.target, name, out, &arn, err) < 0)
		return -1;
	if (!out->json && word)
		return error_set(err, ERROR_NOT_FOUND,
				 "there is neither a file %s nor such a task definition at ECS",
				 word);
	if (!out->json)
		out->json = json_object();
	return 0;
}

/* What differs between the images of a container on both sides, when both are in the store; else nothing. */
static int print_image_diff(struct app *a, const char *container, const char *old, const char *now,
			    struct error *err)
{
	AUTO_PTR(image) before = NULL;
	AUTO_PTR(image) after = NULL;
	AUTO(strlist) lines = STRLIST_INIT;

	if (!*old || !*now || strcmp(old, now) == 0)
		return 0;
	if (image_changes_find(a, old, NULL, false, &before, err) < 0 ||
	    image_changes_find(a, now, NULL, false, &after, err) < 0)
		return -1;
	if (before && after && image_changes_list(a, before, after, &lines, err) < 0)
		return -1;
	for (size_t i = 0; i < lines.n; i++) {
		AUTO_FREE char *line = xstrfmt("  image of %s: %s", container, lines.items[i]);

		task_print_line(stdout, line);
	}
	return 0;
}

static int print_image_diffs(struct app *a, const struct task_definition *old,
			     const struct task_definition *now, struct error *err)
{
	json_t *before, *after;
	size_t i, k;

	json_array_foreach (task_definition_containers(now), i, after)
		json_array_foreach (task_definition_containers(old), k, before) {
			const char *name = aws_text(after, "name");

			if (strcmp(name, aws_text(before, "name")) == 0 &&
			    print_image_diff(a, name, aws_text(before, "image"),
					     aws_text(after, "image"), err) < 0)
				return -1;
		}
	return 0;
}

static int run_diff(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "task-definition diff",
		.args = "[OPTIONS] FILE [FILE|FAMILY[:REVISION]]",
		.summary = "Show what FILE would change of what is registered, or of the other",
		.min_args = 1,
		.max_args = 2,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strlist) lines = STRLIST_INIT;
	AUTO(making) m = {.name = NULL};
	AUTO(task_definition) other = {.json = NULL};
	struct option options[] = {OPTION_ROWS_AWS(a)};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (task_read_file(&m.td, args.items[0], err) < 0)
		return -1;
	if (read_other(a, &m, args.n > 1 ? args.items[1] : NULL, &other, err) < 0)
		return verb_end(a, -1, err);
	task_definition_diff(&other, &m.td, &lines);
	for (size_t i = 0; i < lines.n; i++)
		task_print_line(stdout, lines.items[i]);
	if (print_image_diffs(a, &other, &m.td, err) < 0)
		return -1;
	return lines.n ? EXIT_DIFFERS : 0;
}

static int run_list(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "task-definition list",
		.args = "[OPTIONS] [FAMILY]",
		.summary = "List families, or the revisions of one, the newest first",
		.max_args = 1,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strlist) names = STRLIST_INIT;
	AUTO(making) m = {.name = NULL};
	struct option options[] = {OPTION_ROWS_AWS(a)};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);
	int result;

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (verb_begin(&m.verb, a, NULL, err) < 0)
		return -1;
	result = args.n ? task_definition_revisions(&m.verb.target, args.items[0], &names, err)
			: task_definition_families(&m.verb.target, &names, err);
	for (size_t i = 0; result == 0 && i < names.n; i++)
		task_print_line(stdout, names.items[i]);
	return verb_end(a, result, err);
}

int cmd_task_definition(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct subcommand list[] = {
		{"diff", "Show what a file would change", run_diff},
		{"list", "List families or revisions", run_list},
		{"register", "Register what differs, print the ARN", run_register},
		{"render", "Print the task definition for an image", run_render},
		{NULL, NULL, NULL},
	};

	return subcommand_run(a, "task-definition",
			      "Make, check, compare and register task definitions of ECS", list,
			      argc, argv, err);
}
