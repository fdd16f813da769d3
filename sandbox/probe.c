#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "sandbox/boot.h"
#include "sandbox/userns.h"

#define META_KIND "sandbox"

/* A number of /proc/sys; fallback when there is none. */
static long setting(const char *name, long fallback)
{
	AUTO_FREE char *path = xstrfmt("/proc/sys/%s", name);
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file(path, &text, 64, NULL) < 0)
		return fallback;
	return strtol(text.buf, NULL, 10);
}

static bool in_container(void)
{
	return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
	       access("/var/run/secrets/kubernetes.io", F_OK) == 0;
}

static char *userns_remedy(void)
{
	if (setting("user/max_user_namespaces", 1) == 0)
		return xstrdup("as root: sysctl -w user.max_user_namespaces=15000");
	if (setting("kernel/unprivileged_userns_clone", 1) == 0)
		return xstrdup("as root: sysctl -w kernel.unprivileged_userns_clone=1");
	if (setting("kernel/apparmor_restrict_unprivileged_userns", 0) == 1)
		return xstrdup(
			"as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for slipway with the rule \"userns,\"");
	if (in_container())
		return xstrdup(
			"start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined");
	return NULL;
}

static char *overlay_remedy(struct sandbox *sb, int number)
{
	const char *kind = NULL;
	struct statfs sf;

	if (number == ENODEV)
		return xstrdup("the kernel has no overlay file system; as root: modprobe overlay");
	if (fstatfs(store_dirfd(sb->store), &sf) == 0) {
		if (sf.f_type == OVERLAYFS_SUPER_MAGIC)
			kind = "an overlay itself";
		else if (sf.f_type == NFS_SUPER_MAGIC)
			kind = "on NFS";
		else if (sf.f_type == FUSE_SUPER_MAGIC)
			kind = "on FUSE";
	}
	if (kind)
		return xstrfmt(
			"the state folder %s is %s, where an overlay cannot write: let SLIPWAY_ROOT name a folder on a local disk (in a container, a volume; in Kubernetes, an emptyDir)",
			store_root(sb->store), kind);
	return NULL;
}

static char *remedy_for(struct sandbox *sb, enum sandbox_mode mode, const struct report *r)
{
	const bool refused = r->number == EPERM || r->number == EACCES;

	if (r->number == ENOSYS)
		return xstrdup("Linux 5.12 or later is needed");
	if (r->stage == STAGE_OVERLAY)
		return overlay_remedy(sb, r->number);
	if (r->stage == STAGE_PROC && refused)
		return xstrdup(
			"parts of /proc are hidden in this container: start it with --security-opt systempaths=unconfined (Kubernetes: procMount: Unmasked)");
	if (r->stage == STAGE_FILTER)
		return xstrdup("the kernel needs CONFIG_SECCOMP_FILTER");
	if (r->stage == STAGE_CHROOT)
		return xstrdup(
			"start the container as root with docker's usual capabilities (no --cap-drop, or Kubernetes' drop: [ALL])");
	if (sandbox_has_userns(mode))
		return userns_remedy();
	if (refused && in_container())
		return xstrdup(
			"start the container with --privileged, or with --cap-add SYS_ADMIN and a volume for the state folder");
	if (refused)
		return xstrdup("slipway lacks CAP_SYS_ADMIN");
	return NULL;
}

static void set_failed(struct sandbox_probe *p, struct error *err)
{
	char *line = strchr(err->message, '\n');

	/* The second line of a message says what to try. */
	if (line) {
		*line = '\0';
		p->remedy = xstrdup(line + 1);
	}
	p->reason = xstrdup(err->message);
}

static int make_dirs(struct sandbox *sb, char **dir, struct error *err)
{
	static const char *const names[] = {"lower", "upper", "work", "mnt"};
	AUTO_FREE char *ingest = store_path(sb->store, "ingest");

	if (fs_mkdir_p(ingest, 0700, err) < 0 || fs_make_temp_dir(ingest, "probe-", dir, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *path = xstrfmt("%s/%s", *dir, names[i]);

		if (mkdir(path, 0755) < 0)
			return store_write_failed(sb->store, "a folder to try the sandbox in", path,
						  err);
	}
	return 0;
}

static int start(struct sandbox *sb, enum sandbox_mode mode, enum sandbox_storage storage,
		 const char *dir, int userns, struct launch *l, struct error *err)
{
	AUTO(order_block) orders = ORDER_BLOCK_INIT;
	struct launch_options o = {.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	AUTO_FREE char *lower = xstrfmt("%s/lower", dir);
	AUTO_FREE char *upper = xstrfmt("%s/upper", dir);
	AUTO_FREE char *work = xstrfmt("%s/work", dir);
	AUTO_FREE char *mnt = xstrfmt("%s/mnt", dir);
	uint32_t flags = FLAG_PROBE;

	if (mode == SANDBOX_CHROOT)
		flags |= FLAG_CHROOT;
	if (sandbox_has_userns(mode))
		flags |= FLAG_USERNS;
	if (mode == SANDBOX_ROOTLESS_SINGLE)
		flags |= FLAG_SINGLE;
	order_u32(&orders, ORDER_TASK, TASK_RUN);
	order_u32(&orders, ORDER_FLAGS, flags);
	order_str(&orders, ORDER_SCRATCH, mnt);
	if (storage == SANDBOX_COPY) {
		order_str(&orders, ORDER_ROOT, lower);
	} else {
		order_str(&orders, ORDER_LOWER, lower);
		order_str(&orders, ORDER_UPPER, upper);
		order_str(&orders, ORDER_WORK, work);
	}
	order_str(&orders, ORDER_USER, "");
	order_str(&orders, ORDER_HOSTNAME, "probe");
	if (sandbox_filter_orders(sb, mode, &orders, err) < 0)
		return -1;
	if (userns >= 0) {
		order_u32(&orders, ORDER_USERNS_FD, (uint32_t)userns);
		o.keep_fds = &userns;
		o.n_keep_fds = 1;
	}
	return launch_init(l, sb, &orders, &o, err);
}

/* Reads reports until the empty step is through; false with *r telling what failed. */
static bool await_end(struct launch *l, struct report *r)
{
	for (;;) {
		int fd, got = launch_receive(l->control_fd, true, r, &fd);

		if (fd >= 0)
			close(fd);
		if (got <= 0) {
			memset(r, 0, sizeof(*r));
			r->stage = STAGE_FORK;
			snprintf(r->text, sizeof(r->text),
				 "the first process ended without a word");
			return false;
		}
		/* It is killed by itself then, and collected by its parent: nobody else may be there who does. */
		if (r->kind == REPORT_PID)
			launch_first(l, r->value);
		if (r->kind == REPORT_EXITED)
			return true;
		if (r->kind == REPORT_FAILED)
			return false;
	}
}

/* 1: it works, 0: *r tells what failed. */
static int try_storage(struct sandbox *sb, enum sandbox_mode mode, enum sandbox_storage storage,
		       const char *dir, int userns, struct report *r, struct error *err)
{
	AUTO(launch) l = LAUNCH_INIT;

	if (start(sb, mode, storage, dir, userns, &l, err) < 0)
		return -1;
	if (!await_end(&l, r))
		return 0;
	launch_end(&l, NULL);
	return 1;
}

/* Without mounts there is one way only; else that which was asked for, or all. */
static bool is_tried(const struct sandbox *sb, enum sandbox_mode mode, enum sandbox_storage storage)
{
	if (mode == SANDBOX_CHROOT)
		return storage == SANDBOX_COPY;
	return !sb->asked_storage || strcmp(sb->asked_storage, sandbox_storage_name(storage)) == 0;
}

/* A root that is a copy has the rules of the state folder's file system; docker's --tmpfs, for one, lets nothing in it be executed. */
static bool refuse_noexec(struct sandbox *sb, struct sandbox_probe *out)
{
	struct statvfs sv;

	if (out->storage != SANDBOX_COPY || fstatvfs(store_dirfd(sb->store), &sv) < 0 ||
	    !(sv.f_flag & ST_NOEXEC))
		return false;
	free(out->reason);
	free(out->remedy);
	out->reason = xstrfmt(
		"the state folder %s is mounted noexec: no program of an image can be executed there",
		store_root(sb->store));
	out->remedy = xstrdup(
		"mount it with exec (docker: --tmpfs FOLDER:exec,mode=0700), or let SLIPWAY_ROOT name a folder elsewhere");
	return true;
}

static int try_mode(struct sandbox *sb, enum sandbox_mode mode, const char *dir,
		    struct sandbox_probe *out, struct error *err)
{
	AUTO_FD int userns = -1;

	if (sandbox_has_userns(mode) && userns_make(sb, mode, &userns, err) < 0)
		return -1;
	for (size_t i = 0; i < N_SANDBOX_STORAGES; i++) {
		struct report r;
		int works;

		out->storage = (enum sandbox_storage)i;
		if (!is_tried(sb, mode, out->storage))
			continue;
		works = try_storage(sb, mode, out->storage, dir, userns, &r, err);
		if (works < 0)
			return -1;
		if (works && refuse_noexec(sb, out))
			return 0;
		if (works) {
			out->works = true;
			out->storage_reason = take_ptr(out->reason);
			return 0;
		}
		/* The first failure is that of the best one. */
		if (!out->reason) {
			out->reason = r.number ? xstrfmt("%s: %s", r.text, strerror(r.number))
					       : xstrdup(r.text);
			out->remedy = remedy_for(sb, mode, &r);
		}
		if (r.stage != STAGE_OVERLAY)
			return 0;
	}
	return 0;
}

void probe_mode(struct sandbox *sb, enum sandbox_mode mode, struct sandbox_probe *out)
{
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *dir = NULL;

	memset(out, 0, sizeof(*out));
	out->mode = mode;
	if (!sandbox_has_userns(mode) && geteuid() != 0) {
		out->reason = xstrfmt("slipway runs as user %u, not as root", geteuid());
		if (mode == SANDBOX_CHROOT && in_container())
			out->remedy = xstrdup("let the container's user be root");
		return;
	}
	if (make_dirs(sb, &dir, &err) < 0 || try_mode(sb, mode, dir, out, &err) < 0)
		set_failed(out, &err);
	/* It is doctor who asks. */
	if (out->remedy && strstr(out->remedy, "slipway doctor"))
		free(take_ptr(out->remedy));
	if (!out->works && !out->remedy && sandbox_has_userns(mode))
		out->remedy = userns_remedy();
	if (dir)
		fs_remove_tree(AT_FDCWD, dir, NULL);
}

static void cache_name(char out[32])
{
	snprintf(out, 32, "mode-%u", geteuid());
}

/* "BOOT FILE-SYSTEM MODE STORAGE": a state folder may be copied to another disk, as a CI's caches are. */
static char *memory_of(struct sandbox *sb, enum sandbox_mode mode, enum sandbox_storage storage)
{
	struct stat st = {0};
	struct statfs sf = {0};

	(void)fstat(store_dirfd(sb->store), &st);
	(void)fstatfs(store_dirfd(sb->store), &sf);
	return xstrfmt("%s %lx:%llx %s %s", boot_id(), (unsigned long)sf.f_type,
		       (unsigned long long)st.st_dev, sandbox_mode_name(mode),
		       sandbox_storage_name(storage));
}

/* What the last probe found. */
static bool recall(struct sandbox *sb, enum sandbox_mode *mode, enum sandbox_storage *storage)
{
	AUTO(strbuf) text = STRBUF_INIT;
	char name[32];

	cache_name(name);
	if (!boot_id()[0] || store_meta_get(sb->store, META_KIND, name, &text, NULL) < 0)
		return false;
	for (size_t i = 0; i < (size_t)SANDBOX_NONE * N_SANDBOX_STORAGES; i++) {
		AUTO_FREE char *known = NULL;

		*mode = (enum sandbox_mode)(i / N_SANDBOX_STORAGES);
		*storage = (enum sandbox_storage)(i % N_SANDBOX_STORAGES);
		known = memory_of(sb, *mode, *storage);
		if (strcmp(text.buf, known) == 0)
			return true;
	}
	*mode = SANDBOX_NONE;
	return false;
}

static void remember(struct sandbox *sb, enum sandbox_mode mode, enum sandbox_storage storage)
{
	AUTO_FREE char *text = memory_of(sb, mode, storage);
	char name[32];

	cache_name(name);
	if (boot_id()[0])
		store_meta_put(sb->store, META_KIND, name, text, strlen(text), NULL);
}

void probe_forget(struct sandbox *sb)
{
	char name[32];

	cache_name(name);
	store_meta_put(sb->store, META_KIND, name, "", 0, NULL);
}

static void explain(struct strbuf *why, const struct sandbox_probe *p)
{
	strbuf_printf(why, "%s%s: %s", why->len ? "\n" : "", sandbox_mode_name(p->mode), p->reason);
	if (p->remedy)
		strbuf_printf(why, " (%s)", p->remedy);
}

enum sandbox_mode probe_best(struct sandbox *sb, enum sandbox_storage *storage, char **why)
{
	AUTO(strbuf) reasons = STRBUF_INIT;
	const bool asked = sb->asked_mode || sb->asked_storage;
	enum sandbox_mode mode = SANDBOX_NONE;

	if (!asked && recall(sb, &mode, storage))
		return mode;
	for (size_t i = 0; i < SANDBOX_NONE && mode == SANDBOX_NONE; i++) {
		struct sandbox_probe p;

		if (sb->asked_mode &&
		    strcmp(sb->asked_mode, sandbox_mode_name((enum sandbox_mode)i)) != 0)
			continue;
		probe_mode(sb, (enum sandbox_mode)i, &p);
		if (p.works) {
			mode = p.mode;
			*storage = p.storage;
		} else {
			explain(&reasons, &p);
		}
		sandbox_probe_release(&p);
	}
	if (mode == SANDBOX_NONE)
		*why = strbuf_detach(&reasons, NULL);
	else if (!asked)
		remember(sb, mode, *storage);
	return mode;
}
