#include "builder/run_env.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"

#define BUNDLE_TARGET "/run/slipway/ca-certificates.crt"

static char *other_case(const char *name)
{
	bool lower = islower((unsigned char)*name);
	char *out = xstrdup(name);

	for (char *p = out; *p; p++)
		*p = (char)(lower ? toupper((unsigned char)*p) : tolower((unsigned char)*p));
	return out;
}

static void add_proxies(const struct strmap *from, struct strmap *out)
{
	for (size_t i = 0; from && i < from->n; i++) {
		const struct strmap_entry *e = &from->entries[i];
		AUTO_FREE char *twin = NULL;

		if (!e->value || !arg_is_predefined(e->key))
			continue;
		twin = other_case(e->key);
		strmap_set(out, e->key, e->value);
		if (!strmap_get(from, twin))
			strmap_set(out, twin, e->value);
	}
}

/* Programs read either case, so both are set; --build-arg beats the host, ENV and ARG beat both. */
static void set_proxies(struct run_env *e, const struct stage *st)
{
	const struct build_options *o = st->build->options;
	AUTO(strmap) proxies = STRMAP_INIT;

	add_proxies(o->proxy, &proxies);
	add_proxies(o->build_args, &proxies);
	for (size_t i = 0; i < proxies.n; i++)
		if (!strmap_get(&st->scope.env, proxies.entries[i].key))
			strlist_addf(&e->list, "%s=%s", proxies.entries[i].key,
				     proxies.entries[i].value);
}

/* Programs that take a file instead of the system's bundle lose the latter: so it comes first. */
static int read_own_bundle(struct run_env *e, struct stage *st, struct error *err)
{
	static const char *const places[] = {
		"etc/ssl/certs/ca-certificates.crt",
		"etc/pki/tls/certs/ca-bundle.crt",
		"etc/ssl/ca-bundle.pem",
		"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"etc/ssl/cert.pem",
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		AUTO(error) local = ERROR_INIT;

		if (stack_read_file(&st->stack, places[i], LIMIT_CA_BYTES, &e->bundle, &local) == 0)
			break;
		strbuf_reset(&e->bundle);
		if (local.kind != ERROR_NOT_FOUND)
			return error_move(err, &local);
	}
	if (e->bundle.len && e->bundle.buf[e->bundle.len - 1] != '\n')
		strbuf_putc(&e->bundle, '\n');
	return 0;
}

/* Read by the first step that needs them; a view. */
static int read_certificates(struct build *b, const struct strbuf **out, struct error *err)
{
	const char *path = b->options->ca_bundle;
	int r = 0;

	pthread_mutex_lock(&b->lock);
	if (!b->certificates.len)
		r = fs_read_file(path, &b->certificates, LIMIT_CA_BYTES, err);
	pthread_mutex_unlock(&b->lock);
	*out = &b->certificates;
	return r < 0 ? error_wrap(err, "read the certificates for RUN") : 0;
}

static int set_certificates(struct run_env *e, struct stage *st, struct run_mounts *m,
			    struct error *err)
{
	static const char *const names[] = {
		"SSL_CERT_FILE",       "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
		"NODE_EXTRA_CA_CERTS", "PIP_CERT",       "GIT_SSL_CAINFO",
	};
	const struct strbuf *all;

	if (read_certificates(st->build, &all, err) < 0 || read_own_bundle(e, st, err) < 0)
		return -1;
	if (e->bundle.len) {
		strbuf_add(&e->bundle, all->buf, all->len);
		all = &e->bundle;
	}
	run_mounts_add_data(m, BUNDLE_TARGET, all->buf, all->len);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strmap_get(&st->scope.env, names[i]))
			strlist_addf(&e->list, "%s=%s", names[i], BUNDLE_TARGET);
	return 0;
}

int run_env_init(struct run_env *e, struct stage *st, struct run_mounts *m, bool with_network,
		 struct error *err)
{
	*e = (struct run_env){.bundle = STRBUF_INIT};
	strmap_to_env(&st->scope.env, &e->list);
	set_proxies(e, st);
	if (with_network && st->build->options->ca_bundle && set_certificates(e, st, m, err) < 0)
		return -1;
	if (m->agent_target && !strmap_get(&st->scope.env, "SSH_AUTH_SOCK"))
		strlist_addf(&e->list, "SSH_AUTH_SOCK=%s", m->agent_target);
	strlist_copy(&e->list, &m->env);
	return 0;
}

void run_env_release(struct run_env *e)
{
	/* Some of it may be secrets. */
	for (size_t i = 0; i < e->list.n; i++)
		wipe(e->list.items[i], strlen(e->list.items[i]));
	strlist_release(&e->list);
	strbuf_release(&e->bundle);
}
