#include "cli/build_flags.h"

#include <string.h>

#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "build",
	.args = "[OPTIONS] CONTEXT",
	.summary =
		"Build an image from a Dockerfile. CONTEXT is a folder, a git repository, a URL of a tar, or - for a tar on standard input",
	.min_args = 1,
	.max_args = 1,
};

#define LIMIT_ADVICE                                                  \
	"limit the whole build: systemd-run --scope -p MemoryMax=1G " \
	"-p CPUQuota=50% slipway build ..."

/* What docker has and slipway does otherwise. */
static const struct option refused[] = {
	{0, "cgroup-parent", OPTION_REFUSED, NULL,
	 "start slipway in the control group that steps are to be in", NULL},
	{'m', "memory", OPTION_REFUSED, NULL, LIMIT_ADVICE, NULL},
	{0, "memory-swap", OPTION_REFUSED, NULL, LIMIT_ADVICE, NULL},
	{'c', "cpu-shares", OPTION_REFUSED, NULL, LIMIT_ADVICE, NULL},
	{0, "cpu-period", OPTION_REFUSED, NULL, LIMIT_ADVICE, NULL},
	{0, "cpu-quota", OPTION_REFUSED, NULL, LIMIT_ADVICE, NULL},
	{0, "cpuset-cpus", OPTION_REFUSED, NULL, LIMIT_ADVICE, NULL},
	{0, "cpuset-mems", OPTION_REFUSED, NULL, LIMIT_ADVICE, NULL},
	{0, "security-opt", OPTION_REFUSED, NULL,
	 "a step that needs more has RUN --security=insecure, with --allow security.insecure",
	 NULL},
	{0, "device", OPTION_REFUSED, NULL, "steps get no devices of this machine", NULL},
	{0, "isolation", OPTION_REFUSED, NULL, "SLIPWAY_SANDBOX chooses a sandbox mode", NULL},
	{0, "squash", OPTION_REFUSED, NULL, "copy into a last stage: COPY --from=STAGE / /", NULL},
	{0, "attest", OPTION_REFUSED, NULL, "there are no attestations", NULL},
};

void build_flags_release(struct build_flags *f)
{
	struct strlist *const lists[] = {
		&f->tags,        &f->args,    &f->contexts,   &f->secrets,  &f->labels,
		&f->annotations, &f->outputs, &f->cache_from, &f->cache_to, &f->no_cache_filter,
		&f->platforms,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strlist_release(lists[i]);
	step_flags_release(&f->steps);
}

int build_flags_parse(struct build_flags *f, struct app *a, int argc, char **argv,
		      struct strlist *args, struct error *err)
{
	struct option options[] = {
		{0, "add-host", OPTION_LIST, "HOST:IP",
		 "Add a line to /etc/hosts of RUN steps; IP host-gateway is this machine",
		 &f->steps.add_hosts},
		{0, "allow", OPTION_LIST, "NAME",
		 "Allow RUN --security=insecure: security.insecure (network.host always is)",
		 &f->steps.allow},
		{0, "annotation", OPTION_LIST, "[TYPE,..:]NAME=VALUE",
		 "Annotate the manifest, index, manifest-descriptor or index-descriptor; TYPE[PLATFORM] that of one platform",
		 &f->annotations},
		{0, "build-arg", OPTION_LIST, "NAME[=VALUE]", "Set an ARG", &f->args},
		{0, "build-context", OPTION_LIST, "NAME[::PLATFORM]=SOURCE",
		 "A further context: a folder, git repository, URL of a tar, oci-layout:PATH[:TAG], docker-image://NAME or target:STAGE",
		 &f->contexts},
		{0, "cache-from", OPTION_LIST, "SPEC",
		 "Use the cache that another machine wrote: NAME, type=registry,ref=NAME or "
		 "type=local,src=DIR",
		 &f->cache_from},
		{0, "cache-to", OPTION_LIST, "SPEC",
		 "Write a cache for others: type=registry,ref=NAME, type=local,dest=DIR or type=inline; "
		 "mode=max has the steps of all stages",
		 &f->cache_to},
		{0, "call", OPTION_STRING, "NAME[,format=json]",
		 "Answer instead of building: check, outline (what the target takes) or targets",
		 &f->call},
		{0, "check", OPTION_FLAG, NULL,
		 "Check the Dockerfile by docker's rules instead of building it", &f->check},
		{0, "compression", OPTION_STRING, "KIND",
		 "gzip (default), gzip:zlib-1..9, zstd[:1..22] or none", &f->compression},
		{0, "explain", OPTION_FLAG, NULL, "Say of every step that is not cached why",
		 &f->explain},
		{'f', "file", OPTION_STRING, "PATH", "The Dockerfile (default CONTEXT/Dockerfile)",
		 &f->file},
		{0, "format", OPTION_STRING, "KIND", "Of --check and --call: text or json",
		 &f->format},
		{0, "iidfile", OPTION_STRING, "FILE", "Write the image ID to a file", &f->iidfile},
		OPTION_ROW_INSECURE(a),
		OPTION_ROW_MIRROR(a),
		{0, "label", OPTION_LIST, "NAME=VALUE", "Set a label", &f->labels},
		{0, "load", OPTION_FLAG, NULL,
		 "Have every layer in slipway's store, also those that --cache-from spares",
		 &f->load},
		{0, "metadata-file", OPTION_STRING, "FILE", "Write digests and names as JSON",
		 &f->metadata_file},
		{0, "network", OPTION_STRING, "KIND",
		 "Network of RUN steps: default (the host's), host, none", &f->steps.network},
		{0, "no-cache", OPTION_FLAG, NULL, "Do not use the build cache", &f->no_cache},
		{0, "no-cache-filter", OPTION_LIST, "STAGE[,STAGE]",
		 "Do not use the build cache for these stages", &f->no_cache_filter},
		{0, "no-create-repo", OPTION_FLAG, NULL,
		 "With --push: do not make a repository that ECR lacks", &a->no_create_repo},
		{0, "no-stat-cache", OPTION_FLAG, NULL, "Hash every context file again",
		 &f->no_stat_cache},
		{'o', "output", OPTION_LIST, "SPEC",
		 "type=image|registry|oci|docker|tar|local[,dest=PATH][,name=NAME][,push=true]",
		 &f->outputs},
		{0, "platform", OPTION_LIST, "OS/ARCH[,OS/ARCH...]",
		 "Build for this platform; for several the result is an image index",
		 &f->platforms},
		OPTION_ROW_PROGRESS(f->progress),
		{0, "provenance", OPTION_STRING, "BOOL", "Only false", &f->provenance},
		{0, "pull", OPTION_FLAG, NULL, "Ask the registry for newer base images", &f->pull},
		{0, "push", OPTION_FLAG, NULL, "Push the image under its names", &f->push},
		{'q', "quiet", OPTION_FLAG, NULL, "Print only the image ID", &f->quiet},
		{0, "rm", OPTION_FLAG, NULL, "Accepted: nothing is left of a step", &f->rm},
		{0, "sbom", OPTION_STRING, "BOOL", "Only false", &f->sbom},
		{0, "secret", OPTION_LIST, "id=ID[,src=FILE|,env=NAME]",
		 "A secret for RUN --mount=type=secret; GIT_AUTH_TOKEN and HTTP_AUTH_TOKEN_HOST are logins of git sources and URLs",
		 &f->secrets},
		{0, "shm-size", OPTION_STRING, "BYTES", "Size of /dev/shm of RUN steps (64m)",
		 &f->steps.shm_size},
		{0, "ssh", OPTION_LIST, "default|ID[=SOCKET|KEY[,KEY]]",
		 "An SSH agent, or keys for one, for RUN --mount=type=ssh", &f->steps.ssh},
		{'t', "tag", OPTION_LIST, "NAME[:TAG]",
		 "Name the image; several times for several names", &f->tags},
		{0, "target", OPTION_STRING, "STAGE", "Stop at this stage", &f->target},
		{0, "timestamp", OPTION_INT, "SECONDS",
		 "Set created times and clamp file times, for reproducible images", &f->timestamp},
		{0, "ulimit", OPTION_LIST, "NAME=SOFT[:HARD]",
		 "A resource limit of RUN steps, as in nofile=1024:4096", &f->steps.ulimits},
	};
	struct option all[ARRAY_SIZE(options) + ARRAY_SIZE(refused)];

	f->timestamp = -1;
	memcpy(all, options, sizeof(options));
	memcpy(all + ARRAY_SIZE(options), refused, sizeof(refused));
	return options_parse(&usage, all, ARRAY_SIZE(all), argc, argv, args, err);
}
