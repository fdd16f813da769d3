#include "sandbox/rootfs_place.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sandbox/agent_proxy.h"
#include "sandbox/flat_root.h"

static int refuse(const char *what, struct error *err)
{
	error_set(err, ERROR_UNSUPPORTED,
		  "%s: this needs namespaces, which the sandbox mode chroot does without", what);
	return error_hint(err, "\"slipway doctor\" shows what a better mode needs");
}

static int check(const struct run_spec *spec, struct error *err)
{
	if (spec->space)
		return refuse("containers that share a network", err);
	if (spec->network == SANDBOX_NETWORK_NONE)
		return refuse("a step without network", err);
	if (spec->network == SANDBOX_NETWORK_PORTS)
		return refuse("published ports", err);
	if (spec->tty)
		return refuse("a terminal", err);
	if (spec->readonly_root)
		return refuse("a root that is read-only", err);
	return 0;
}

static void warn_of_devices(struct rootfs *fs, const struct strlist *missing)
{
	AUTO_FREE char *names = strlist_join(missing, ", ");

	if (missing->n > 0)
		report_log(
			fs->sb->reporter, LOG_WARNING,
			"the step has no %s: device files cannot be made here, or do not work on "
			"the file system of the state folder",
			names);
}

int rootfs_place_open(struct rootfs *fs, const struct run_spec *spec, struct placement **out,
		      struct error *err)
{
	AUTO_FREE char *aside = NULL;
	AUTO_PTR(placement) p = NULL;
	AUTO(strlist) missing = STRLIST_INIT;

	if (check(spec, err) < 0 || rootfs_prepare(fs, err) < 0)
		return -1;
	aside = xstrfmt("%s/aside-%u", fs->flat->folder.path, fs->flat->folder.n_runs++);
	fs->dirty = true;
	if (placement_open(&p, fs->flat->path, aside, err) < 0 ||
	    placement_system(p, &missing, err) < 0 ||
	    placement_lock_caches(p, fs->sb->store, spec->mounts, spec->n_mounts, err) < 0)
		return -1;
	warn_of_devices(fs, &missing);
	*out = take_ptr(p);
	return 0;
}

int rootfs_place_mount(struct rootfs *fs, struct placement *p, struct agent_proxy *agents,
		       const struct sandbox_mount *m, size_t i, bool filled, struct error *err)
{
	const bool is_view = m->kind == SANDBOX_MOUNT_BIND && (m->n_layers > 0 || !m->source_dir);
	AUTO_FREE char *view = NULL;
	AUTO_FD int listener = -1;

	if (filled && m->source_dir &&
	    (chown(m->source_dir, m->uid, m->gid) < 0 ||
	     chmod(m->source_dir, m->mode ? m->mode : 0755) < 0))
		return error_errno(err, "make the cache for %s", m->target);
	if (is_view) {
		view = xstrfmt("%s/view-%u-%zu", fs->flat->folder.path, fs->flat->folder.n_runs, i);
		if (rootfs_make_view(fs, m, view, err) < 0)
			return -1;
	}
	if (placement_add(p, m, view ? view : m->source_dir, view && !m->subpath, &listener, err) <
	    0)
		return -1;
	if (view && m->subpath)
		(void)sandbox_remove_tree(fs->sb, view, NULL);
	if (listener < 0)
		return 0;
	return agent_proxy_listen(agents, take_fd(listener), m->source_dir, err);
}

int rootfs_place_orders(struct rootfs *fs, struct placement *p, struct order_block *orders,
			struct error *err)
{
	order_str(orders, ORDER_ROOT, fs->flat->path);
	for (size_t i = 0; i < placement_secrets(p)->n; i++)
		order_str(orders, ORDER_SECRET, placement_secrets(p)->items[i]);
	return placement_ready(p, err);
}

int rootfs_place_end(struct rootfs *fs, struct placement *p, struct error *err)
{
	return placement_remove(p, &fs->pardoned, err);
}
