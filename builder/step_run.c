#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "builder/history.h"
#include "builder/layer_step.h"
#include "builder/run_env.h"
#include "builder/steps.h"
#include "builder/stop.h"
#include "sandbox/emulator.h"
#include "sandbox/rootfs.h"

#define HOSTNAME "buildkitsandbox"

struct run_step {
	struct layer_step step;
	struct strlist argv;
	struct run_mounts mounts;
	struct output output;
	const char *hostname;
	bool network;
	int process; /* of build_process_add() */
};

static void fill_key(struct run_step *r, struct step_key *k)
{
	const struct stage *st = r->step.stage;
	const struct run_plan plan = {
		.argv = &r->argv,
		.env = &st->scope.env,
		.args = &st->scope.args,
		.cwd = stage_working_dir(st),
		.user = st->config.user,
		.hostname = r->hostname,
		.script = r->step.ins->run.script,
		.network = r->network,
		.insecure = r->step.ins->run.insecure,
		.limits = st->build->options->limit_texts,
		.shm_size = st->build->options->shm_size,
		.platform = &st->config.platform,
		.hosts = st->build->options->add_hosts,
		.mounts = r->mounts.given,
		.targets = r->mounts.targets,
		.inputs = r->mounts.inputs,
		.n_mounts = r->mounts.n,
	};

	plan_run(k, &plan);
}

static int run_quick(struct layer_step *s, struct step_key *k, struct error *err)
{
	struct run_step *r = (struct run_step *)s;

	if (!r->mounts.from_image)
		return 0;
	if (run_mounts_hash(&r->mounts, true, err) < 0)
		return -1;
	fill_key(r, k);
	return 1;
}

static int run_key(struct layer_step *s, struct step_key *k, struct error *err)
{
	struct run_step *r = (struct run_step *)s;

	if (run_mounts_hash(&r->mounts, false, err) < 0)
		return -1;
	fill_key(r, k);
	return 0;
}

/* Is the emulator's program in the image, or mounted there for this RUN? */
static bool has_interpreter(struct run_step *r, const char *path)
{
	struct stage *st = r->step.stage;
	struct tree *tree;

	for (size_t i = 0; i < r->mounts.n; i++)
		if (r->mounts.targets[i] && path_is_below(path, r->mounts.targets[i]))
			return true;
	return stack_tree(&st->stack, &tree, NULL) == 0 && tree_lookup(tree, path, true) != NULL;
}

static int check_platform(struct run_step *r, struct error *err)
{
	const struct stage *st = r->step.stage;
	const struct platform *p = &st->config.platform;
	AUTO_FREE char *problem = NULL, *remedy = NULL;
	AUTO_FREE char *wanted = platform_format(p);
	AUTO_FREE char *here = platform_format(&st->build->host_platform);
	AUTO(emulator) e;

	emulator_find(&e, p, EMULATOR_BINFMT);
	problem = emulator_problem(
		&e, p, e.state == EMULATOR_IN_IMAGE && has_interpreter(r, e.interpreter), &remedy);
	if (!problem)
		return 0;
	error_set(err, ERROR_UNSUPPORTED, "RUN on %s needs emulation: this machine is %s, and %s",
		  wanted, here, problem);
	if (!remedy)
		return -1;
	error_hint(err, "%s", remedy);
	return error_hint(
		err,
		"or build on a %s machine, or use FROM --platform=$BUILDPLATFORM for this "
		"stage and cross-compile",
		wanted);
}

static void take_output(void *arg, int fd, const void *data, size_t len)
{
	struct run_step *r = arg;

	output_write(&r->output, fd, data, len);
}

static void note_start(void *arg, pid_t pid)
{
	struct run_step *r = arg;

	r->process = build_process_add(r->step.stage->build, pid);
}

/* why: what the sandbox says of a process that could not even start; NULL: it ran. */
static int report_failure(struct run_step *r, const struct run_result *result, const char *why,
			  struct error *err)
{
	AUTO_FREE char *command = strlist_join(&r->argv, " ");

	error_set(err, ERROR_STEP,
		  "process \"%s\" did not complete successfully: exit code: %d%s%s%s%s%s", command,
		  result->status, result->oom ? " (" : "", oom_text(result->oom),
		  result->oom ? ")" : "", why ? ": " : "", why ? why : "");
	if (err)
		err->status = result->status;
	store_hint_if_full(r->step.stage->build->store, err);
	output_tail(&r->output, &r->step.hint);
	return -1;
}

static int run_process(struct run_step *r, struct rootfs *fs, struct run_env *env,
		       struct error *err)
{
	const struct stage *st = r->step.stage;
	const struct build_options *o = st->build->options;
	const struct run_spec spec = {
		.argv = r->argv.items,
		.env = env->list.items,
		.cwd = stage_working_dir(st),
		.user = st->config.user ? st->config.user : "",
		.hostname = r->hostname,
		.add_hosts = o->add_hosts,
		.network = r->network ? SANDBOX_NETWORK_HOST : SANDBOX_NETWORK_NONE,
		.mounts = r->mounts.mounts,
		.n_mounts = r->mounts.n_mounts,
		.stdin_fd = -1,
		.shm_size = o->shm_size,
		.limits = o->limits,
		.n_limits = o->n_limits,
		.privileged = r->step.ins->run.insecure,
		.output = take_output,
		.started = note_start,
		.arg = r,
	};
	struct run_result result = {.status = 0};
	AUTO(error) local = ERROR_INIT;
	int done;

	r->step.one_owner = sandbox_mode(o->sandbox, NULL) == SANDBOX_ROOTLESS_SINGLE;
	done = rootfs_run(fs, &spec, &result, &local);
	build_process_remove(st->build, r->process);
	output_end(&r->output);
	/* Whatever became of it, it was not of its own doing. */
	if ((done < 0 || result.status) && build_is_stopping(st->build))
		return error_set(err, ERROR_CANCELLED, "another stage failed");
	if (done == 0)
		return result.status ? report_failure(r, &result, NULL, err) : 0;
	if (local.kind != ERROR_STEP)
		return error_move(err, &local);
	result.status = local.status;
	return report_failure(r, &result, local.message, err);
}

static int run_make(struct layer_step *s, struct layer *out, struct error *err)
{
	struct run_step *r = (struct run_step *)s;
	struct stage *st = s->stage;
	const struct build_options *o = st->build->options;
	AUTO_FREE struct rootfs_layer *layers = stack_rootfs(&st->stack);
	AUTO(run_env) env = {.bundle = STRBUF_INIT};
	AUTO_PTR(rootfs) fs = NULL;

	if (check_platform(r, err) < 0)
		return -1;
	if (!o->sandbox)
		return error_set(err, ERROR_UNSUPPORTED, "this build has no sandbox for RUN");
	if (stack_fetch(&st->stack, err) < 0)
		return -1;
	r->output.step = s->id;
	/* The root first: extracting a layer makes its index on the way, which else would take a pass of its own. */
	if (rootfs_open(&fs, o->sandbox, layers, st->stack.n, err) < 0 ||
	    rootfs_prepare(fs, err) < 0 ||
	    run_mounts_open(&r->mounts, s->id, &r->output, err) < 0 ||
	    run_env_init(&env, st, &r->mounts, r->network, err) < 0 ||
	    run_process(r, fs, &env, err) < 0 ||
	    rootfs_commit(fs, &st->build->layer_options, out, err) < 0 ||
	    run_mounts_recheck(&r->mounts, &s->unstable, err) < 0)
		return -1;
	if (s->unstable)
		report_step_note(o->reporter, s->id,
				 "files of the context changed during the step: it is not cached");
	return 0;
}

static int run_manifest(struct layer_step *s, struct strbuf *out, struct error *err)
{
	return run_mounts_manifest(&((struct run_step *)s)->mounts, out, err);
}

static const struct layer_step_ops run_ops = {
	.kind = "run",
	.quick = run_quick,
	.key = run_key,
	.make = run_make,
	.manifest = run_manifest,
};

static bool wants_network(const struct build_options *o, const struct run_instruction *run)
{
	if (run->network == RUN_NETWORK_DEFAULT)
		return !o->network_none;
	return run->network == RUN_NETWORK_HOST;
}

static const char *choose_hostname(const struct build_options *o)
{
	const char *given = o->build_args ? strmap_get(o->build_args, "BUILDKIT_SANDBOX_HOSTNAME")
					  : NULL;

	return given && *given ? given : HOSTNAME;
}

int step_run_allowed(const struct build *b, const struct instruction *ins, struct error *err)
{
	if (ins->kind != INSTRUCTION_RUN || !ins->run.insecure || b->options->allow_insecure)
		return 0;
	error_set(err, ERROR_DENIED,
		  "RUN --security=insecure: the build was not allowed security.insecure");
	stage_error_place(err, ins);
	return error_hint(err, "allow it with --allow security.insecure");
}

static int prepare(struct run_step *r, struct error *err)
{
	struct stage *st = r->step.stage;
	const struct instruction *ins = r->step.ins;

	step_argv(st, &ins->run.command, &r->argv);
	if (!r->argv.n)
		return error_set(err, ERROR_SYNTAX, "RUN has no command");
	return run_mounts_init(&r->mounts, st, ins, err);
}

int step_run(struct stage *st, const struct instruction *ins, struct error *err)
{
	const struct build_options *o = st->build->options;
	struct run_step r = {
		.step = LAYER_STEP_INIT(st, ins),
		.hostname = choose_hostname(o),
		.network = wants_network(o, &ins->run),
		.process = -1,
	};
	int result;

	output_init(&r.output, o->reporter);
	if (prepare(&r, err) < 0) {
		result = stage_error_place(err, ins);
	} else {
		history_run(&r.step.history, &st->scope, &r.argv);
		result = layer_step_execute(&r.step, &run_ops, err);
	}
	run_mounts_release(&r.mounts);
	output_release(&r.output);
	strlist_release(&r.argv);
	layer_step_release(&r.step);
	return result;
}
