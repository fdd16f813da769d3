#include "builder/plan.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

/* Raised whenever the meaning of a field changes, or layers come out otherwise for equal input. */
#define KEY_VERSION "slipway step 1"

void step_key_release(struct step_key *k)
{
	if (!k)
		return;
	sha256_release(&k->hash);
	strbuf_release(&k->parts);
}

void step_key_note(struct step_key *k, const char *name, const char *value)
{
	for (; *name; name++)
		strbuf_putc(&k->parts, *name == '\n' || *name == '\t' ? '?' : *name);
	strbuf_printf(&k->parts, "\t%s\n", value);
}

static void add_part(struct step_key *k, const char *label, const uint8_t hash[SHA256_SIZE])
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(hash, hex);
	hex[16] = '\0';
	step_key_note(k, label, hex);
}

void step_key_begin(struct step_key *k, const char *kind, const struct digest *chain,
		    const struct layer_options *layers)
{
	if (!k->parts.buf)
		strbuf_init(&k->parts);
	strbuf_reset(&k->parts);
	sha256_init(&k->hash);
	sha256_frame_str(&k->hash, KEY_VERSION);
	step_key_add(k, "kind", NULL, kind);
	step_key_add(k, "chain", PLAN_BELOW, chain->text);
	step_key_add_int(k, "compression", "--compression", layers->compression);
	step_key_add_int(k, "compression level", "--compression", layers->level);
	step_key_add_int(k, "limit of times", "--timestamp", layers->mtime_limit);
}

void step_key_add(struct step_key *k, const char *name, const char *label, const char *value)
{
	uint8_t hash[SHA256_SIZE];

	sha256_frame_str(&k->hash, name);
	sha256_frame_str(&k->hash, value);
	sha256_buf(value ? value : "", value ? strlen(value) : 0, hash);
	/* A part that is unset differs from an empty one, as in the key. */
	hash[0] ^= value == NULL;
	add_part(k, label ? label : name, hash);
}

void step_key_add_int(struct step_key *k, const char *name, const char *label, int64_t value)
{
	uint8_t hash[SHA256_SIZE];

	sha256_frame_str(&k->hash, name);
	sha256_frame_int(&k->hash, value);
	sha256_buf(&value, sizeof(value), hash);
	add_part(k, label ? label : name, hash);
}

void step_key_add_list(struct step_key *k, const char *name, const struct strlist *values)
{
	AUTO(sha256) all = SHA256_INIT;
	uint8_t hash[SHA256_SIZE];

	sha256_frame_int(&all, (int64_t)values->n);
	for (size_t i = 0; i < values->n; i++)
		sha256_frame_str(&all, values->items[i]);
	sha256_final(&all, hash);
	step_key_add_content(k, name, NULL, hash);
}

void step_key_add_content(struct step_key *k, const char *name, const char *label,
			  const uint8_t hash[SHA256_SIZE])
{
	sha256_frame_str(&k->hash, name);
	sha256_frame(&k->hash, hash, SHA256_SIZE);
	add_part(k, label ? label : name, hash);
}

void step_key_finish(struct step_key *k)
{
	sha256_final_hex(&k->hash, k->hex);
}

static void add_environment(struct step_key *k, const struct run_plan *p)
{
	step_key_add_int(k, "number of variables", NULL, (int64_t)p->env->n);
	for (size_t i = 0; i < p->env->n; i++) {
		const struct strmap_entry *e = &p->env->entries[i];
		AUTO_FREE char *label = NULL;

		label = xstrfmt("%s %s", strmap_has(p->args, e->key) ? "ARG" : "ENV", e->key);
		sha256_frame_str(&k->hash, e->key);
		step_key_add(k, "variable", label, e->value);
	}
}

/* "NAME:ADDRESS" or "NAME=ADDRESS"; addresses may be those of this machine. */
static void add_hosts(struct step_key *k, const struct strlist *hosts)
{
	AUTO(strlist) names = STRLIST_INIT;

	for (size_t i = 0; hosts && i < hosts->n; i++)
		strlist_addn(&names, hosts->items[i], strcspn(hosts->items[i], ":="));
	step_key_add_list(k, "--add-host", &names);
}

static void add_mount(struct step_key *k, const struct run_mount *m, const char *target,
		      const struct mount_input *input)
{
	AUTO_FREE char *label = xstrfmt("--mount %s %s", mount_kind_name(m->kind),
					target ? target : "");
	AUTO_FREE char *source = xstrfmt(PLAN_MOUNT_SOURCE "%s", target ? target : "");

	step_key_add(k, "mount", label, mount_kind_name(m->kind));
	step_key_add(k, "target", label, target);
	step_key_add(k, "id", label, m->id);
	step_key_add(k, "env", label, m->env);
	sha256_frame_int(&k->hash, m->sharing);
	sha256_frame_int(&k->hash, m->readonly);
	sha256_frame_int(&k->hash, m->required);
	sha256_frame_int(&k->hash, m->mode);
	sha256_frame_int(&k->hash, m->uid);
	sha256_frame_int(&k->hash, m->gid);
	sha256_frame_int(&k->hash, m->size);
	sha256_frame_int(&k->hash, input->has_content);
	if (input->has_content)
		step_key_add_content(k, "content", source, input->content);
}

void plan_run(struct step_key *k, const struct run_plan *p)
{
	static const struct strlist none;
	AUTO_FREE char *platform = platform_format(p->platform);

	step_key_add_list(k, "command", p->argv);
	step_key_add(k, "script", NULL, p->script);
	add_environment(k, p);
	step_key_add(k, "working folder", "WORKDIR", p->cwd);
	step_key_add(k, "user", "USER", p->user);
	step_key_add(k, "host name", NULL, p->hostname);
	step_key_add(k, "network", NULL, p->network ? "host" : "none");
	step_key_add(k, "security", "--security", p->insecure ? "insecure" : "sandbox");
	step_key_add_list(k, "--ulimit", p->limits ? p->limits : &none);
	step_key_add_int(k, "--shm-size", NULL, p->shm_size);
	/* Its part is a note that every step has. */
	sha256_frame_str(&k->hash, "platform");
	sha256_frame_str(&k->hash, platform);
	add_hosts(k, p->hosts);
	step_key_add_int(k, "number of mounts", NULL, (int64_t)p->n_mounts);
	for (size_t i = 0; i < p->n_mounts; i++)
		add_mount(k, &p->mounts[i], p->targets[i], &p->inputs[i]);
}

/* A destination that ends in "/" or "." is a folder: that is kept when the path is cleaned. */
static char *resolve_dest(const char *working_dir, const char *dest)
{
	AUTO_FREE char *clean = path_resolve(working_dir, dest);
	bool folder = !*dest || str_ends(dest, "/") || strcmp(dest, ".") == 0 ||
		      str_ends(dest, "/.");

	return xstrfmt("%s%s", clean, folder && strcmp(clean, "/") != 0 ? "/" : "");
}

void plan_copy(struct step_key *k, const struct instruction *ins, const char *working_dir,
	       int64_t folder_mtime)
{
	const struct copy_instruction *c = &ins->copy;
	AUTO_FREE char *dest = resolve_dest(working_dir, c->dest);

	step_key_add(k, "destination", NULL, dest);
	step_key_add(k, "--chown", NULL, c->chown);
	step_key_add(k, "--chmod", NULL, c->chmod_text);
	step_key_add_int(k, "--link", NULL, c->link);
	step_key_add_int(k, "--parents", NULL, c->parents);
	step_key_add_list(k, "--exclude", &c->excludes);
	step_key_add(k, "--checksum", NULL, c->checksum);
	step_key_add_int(k, "--keep-git-dir", NULL, c->has_keep_git_dir ? c->keep_git_dir : -1);
	step_key_add_int(k, "--unpack", NULL, c->has_unpack ? c->unpack : -1);
	step_key_add_int(k, "time of folders", "SOURCE_DATE_EPOCH", folder_mtime);
}

void plan_workdir(struct step_key *k, const char *path, const char *user, int64_t folder_mtime)
{
	step_key_add(k, "path", NULL, path);
	step_key_add(k, "user", "USER", user);
	step_key_add_int(k, "time of folders", "SOURCE_DATE_EPOCH", folder_mtime);
}
