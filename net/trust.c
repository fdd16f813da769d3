#include "net/trust.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"

static const char *const SYSTEM_FILES[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

const char *trust_system_file(void)
{
	for (size_t i = 0; i < sizeof(SYSTEM_FILES) / sizeof(SYSTEM_FILES[0]); i++) {
		if (access(SYSTEM_FILES[i], R_OK) == 0)
			return SYSTEM_FILES[i];
	}
	return NULL;
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
