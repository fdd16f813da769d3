/* slipway destroy: removes what deploy made for an app, and nothing else. */
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/verb.h"
#include "deploy/destroy.h"
#include "deploy/lookup.h"

static const struct command_usage usage = {
	.name = "destroy",
	.args = "[OPTIONS] NAME",
	.summary = "Remove what deploy made for an app: all that carries its tags",
	.max_args = 1,
};

static bool confirmed(const char *app)
{
	char answer[16];

	printf("Remove all of this of %s? [y/N] ", app);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Clean-ups may come twice, so --yes takes it well; who typed a name that nobody has wants to hear of it. */
static int find_nothing(const struct deploy_target *t, bool yes, struct error *err)
{
	AUTO_JSON *service = NULL;
	const char *owner;
	bool has_cluster;

	if (yes) {
		printf("There is nothing of %s here.\n", t->app);
		return 0;
	}
	error_set(err, ERROR_NOT_FOUND, "there is nothing of the app %s here", t->app);
	if (lookup_service_if_any(t, t->app, &service, &has_cluster, NULL) < 0 || !service)
		return -1;
	owner = deploy_target_tag(json_object_get(service, "tags"), TAG_APP);
	if (!*owner)
		return error_hint(err, "the service %s was not made by slipway", t->app);
	return error_hint(err, "the service %s is part of the app %s: slipway destroy%s %s", t->app,
			  owner, deploy_target_flag(t), owner);
}

static int check(const struct destroy *d, const struct deploy_target *t, bool yes,
		 struct error *err)
{
	AUTO(strlist) lines = STRLIST_INIT;

	destroy_plan(d, &lines);
	for (size_t i = 0; i < lines.n; i++)
		printf("%s\n", lines.items[i]);
	fflush(stdout);
	if (!d->n)
		return find_nothing(t, yes, err);
	if (yes)
		return 0;
	if (!isatty(STDIN_FILENO)) {
		error_set(err, ERROR_USAGE, "destroy asks on a terminal, and this is none");
		return error_hint(err, "--yes answers it, --dry-run only shows what would go");
	}
	if (!confirmed(t->app))
		return error_set(err, ERROR_CANCELLED, "nothing was removed");
	return 0;
}

/* Repositories that turned out to hold images: kept, which the plan could not say. */
static void print_kept(const struct destroy *d, size_t from)
{
	for (size_t i = from; i < d->kept.n; i++)
		printf("= keep %s\n", d->kept.items[i]);
}

static int destroy(struct verb *v, bool images, bool dry_run, bool yes, struct error *err)
{
	AUTO(destroy) d = {0};
	size_t kept;
	int r;

	if (deploy_target_identify(&v->target, err) < 0 ||
	    destroy_find(&v->target, images, &d, err) < 0 ||
	    check(&d, &v->target, yes || dry_run, err) < 0)
		return -1;
	if (dry_run)
		return 0;
	kept = d.kept.n;
	r = destroy_run(&v->target, &d, err);
	print_kept(&d, kept);
	return r;
}

int cmd_destroy(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	const char *name = NULL;
	bool images = false, dry_run = false, yes = false;
	struct option options[] = {
		OPTION_ROWS_VERB(a, v),
		{0, "name", OPTION_STRING, "NAME", "The app, as deploy called it", &name},
		{0, "images", OPTION_FLAG, NULL, "Also its repository when it holds images",
		 &images},
		{0, "dry-run", OPTION_FLAG, NULL, "Only show what would go", &dry_run},
		{'y', "yes", OPTION_FLAG, NULL, "Do not ask", &yes},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (args.n && name)
		return error_set(err, ERROR_USAGE, "the app is named twice: %s and --name %s",
				 args.items[0], name);
	name = args.n ? args.items[0] : name;
	if (!name)
		return error_set(err, ERROR_USAGE, "which app? slipway destroy NAME");
	if (deploy_target_check_app(name, err) < 0)
		return -1;
	if (verb_begin(&v, a, NULL, err) < 0)
		return -1;
	v.target.app = name;
	return verb_end(a, destroy(&v, images, dry_run, yes, err), err);
}
