#include "net/trust.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"

/* Debian, Alpine and Arch; Fedora and its kin, new and old; SUSE; Alpine without the package of all certificates. */
static const char *const SYSTEM_FILES[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static const char *const SYSTEM_FOLDERS[] = {
	"/etc/ssl/certs",
	"/etc/pki/tls/certs",
	"/var/lib/ca-certificates/openssl",
};

static const char *first_readable(const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	}
	return NULL;
}

const char *trust_system_file(void)
{
	return first_readable(SYSTEM_FILES, sizeof(SYSTEM_FILES) / sizeof(SYSTEM_FILES[0]));
}

const char *trust_system_folder(void)
{
	return first_readable(SYSTEM_FOLDERS, sizeof(SYSTEM_FOLDERS) / sizeof(SYSTEM_FOLDERS[0]));
}

static int append_file(struct strbuf *pem, const char *path, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file(path, &text, LIMIT_CA_BYTES, err) < 0)
		return error_wrap(err, "read the certificates to trust");
	strbuf_add(pem, text.buf, text.len);
	/* A file without a final newline must not swallow the first line of the next. */
	strbuf_putc(pem, '\n');
	return 0;
}

int trust_read(struct strbuf *pem, const char *ca_file, const struct strlist *extra,
	       struct error *err)
{
	for (size_t i = 0; extra && i < extra->n; i++) {
		if (append_file(pem, extra->items[i], err) < 0)
			return -1;
	}
	if (!ca_file)
		ca_file = trust_system_file();
	return ca_file ? append_file(pem, ca_file, err) : 0;
}
