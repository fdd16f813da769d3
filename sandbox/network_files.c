#include "sandbox/network_files.h"

#include <string.h>

#include "base/fs.h"

#define RESOLV_CONF       "/etc/resolv.conf"
#define RESOLV_CONF_LIMIT (64u << 10)

static bool is_server(const char *line, size_t len, bool loopback_only)
{
	static const char word[] = "nameserver";
	size_t at = sizeof(word) - 1;

	if (len <= at || memcmp(line, word, at) != 0 || (line[at] != ' ' && line[at] != '\t'))
		return false;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	return !loopback_only || (len - at >= 4 && memcmp(line + at, "127.", 4) == 0) ||
	       (len - at >= 3 && memcmp(line + at, "::1", 3) == 0);
}

void resolv_conf_filter(const char *text, const char *nameserver, struct strbuf *out)
{
	if (nameserver)
		strbuf_printf(out, "nameserver %s\n", nameserver);
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (!is_server(text, len, !nameserver)) {
			strbuf_add(out, text, len);
			strbuf_putc(out, '\n');
		}
		text += len + (text[len] == '\n');
	}
}

/* "name:address", the address of either kind. */
static void add_host(struct strbuf *out, const char *item)
{
	const char *colon = strchr(item, ':');

	if (colon)
		strbuf_printf(out, "%s\t%.*s\n", colon + 1, (int)(colon - item), item);
}

void network_files_make(struct network_files *f, const char *hostname,
			const struct strlist *add_hosts, bool host_network, const char *nameserver)
{
	AUTO(strbuf) text = STRBUF_INIT;

	strbuf_printf(&f->hosts, "127.0.0.1\tlocalhost %s\n", hostname);
	strbuf_puts(&f->hosts, "::1\tlocalhost ip6-localhost ip6-loopback\n");
	for (size_t i = 0; add_hosts && i < add_hosts->n; i++)
		add_host(&f->hosts, add_hosts->items[i]);
	strbuf_printf(&f->hostname, "%s\n", hostname);
	/* Without one the C library asks this machine, which is as good as it gets. */
	if (fs_read_file(RESOLV_CONF, &text, RESOLV_CONF_LIMIT, NULL) < 0 && !nameserver)
		return;
	if (host_network)
		strbuf_add(&f->resolv_conf, text.buf, text.len);
	else
		resolv_conf_filter(text.buf, nameserver, &f->resolv_conf);
}

void network_files_mounts(const struct network_files *f,
			  struct sandbox_mount mounts[NETWORK_FILES_COUNT])
{
	const struct {
		const char *target;
		const struct strbuf *text;
	} files[NETWORK_FILES_COUNT] = {
		{"/etc/hosts", &f->hosts},
		{"/etc/resolv.conf", &f->resolv_conf},
		{"/etc/hostname", &f->hostname},
	};

	for (size_t i = 0; i < NETWORK_FILES_COUNT; i++)
		mounts[i] = (struct sandbox_mount){
			.kind = SANDBOX_MOUNT_DATA,
			.target = files[i].target,
			.mode = 0644,
			.data = files[i].text->buf,
			.data_len = files[i].text->len,
		};
}

void network_files_release(struct network_files *f)
{
	strbuf_release(&f->hosts);
	strbuf_release(&f->resolv_conf);
	strbuf_release(&f->hostname);
}
