#include "sandbox/snapshot_marks.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/limits.h"

size_t capability_revision_2(const void *value, size_t len, unsigned char out[20])
{
	uint32_t words[5] = {0}, head;

	if (len < sizeof(head))
		return 0;
	memcpy(&head, value, sizeof(head));
	switch (le32toh(head) & VFS_CAP_REVISION_MASK) {
	case VFS_CAP_REVISION_1:
		if (len != XATTR_CAPS_SZ_1)
			return 0;
		memcpy(words, value, XATTR_CAPS_SZ_1);
		break;
	case VFS_CAP_REVISION_2:
		if (len != XATTR_CAPS_SZ_2)
			return 0;
		memcpy(words, value, XATTR_CAPS_SZ_2);
		break;
	case VFS_CAP_REVISION_3:
		/* The last word names the user id that is root where the file may be used: ours, not the image's. */
		if (len != XATTR_CAPS_SZ_3)
			return 0;
		memcpy(words, value, XATTR_CAPS_SZ_2);
		break;
	default:
		return 0;
	}
	words[0] = htole32((le32toh(head) & ~VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
	memcpy(out, words, sizeof(words));
	return sizeof(words);
}

void file_xattrs_release(struct file_xattrs *x)
{
	free(x->items);
	strbuf_release(&x->bytes);
	x->items = NULL;
	x->n = x->cap = 0;
}

static bool keeps(const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return true;
	return str_starts(name, "user.") && !str_starts(name, "user.overlay.") &&
	       !str_starts(name, "user.slipway.");
}

static int read_value(int fd, const char *name, struct strbuf *out, const char *path,
		      struct error *err)
{
	ssize_t len;

	do {
		len = fgetxattr(fd, name, NULL, 0);
		if (len > (ssize_t)LIMIT_XATTR_BYTES)
			return error_set(err, ERROR_UNSUPPORTED,
					 "/%s: attribute %s is larger than %u bytes", path, name,
					 LIMIT_XATTR_BYTES);
		if (len > 0) {
			strbuf_grow(out, (size_t)len);
			len = fgetxattr(fd, name, out->buf, (size_t)len);
		}
	} while (len < 0 && errno == ERANGE);
	if (len < 0)
		return error_errno(err, "read attribute %s of /%s", name, path);
	out->len = (size_t)len;
	return 0;
}

static int read_mark(int fd, const char *name, const char *key, struct marks *m, const char *path,
		     struct error *err)
{
	AUTO(strbuf) value = STRBUF_INIT;

	if (strcmp(key, "opaque") == 0) {
		if (read_value(fd, name, &value, path, err) < 0)
			return -1;
		/* "x" only says that the folder may hold whiteouts in the form of attributes. */
		m->opaque = value.len == 1 && value.buf[0] == 'y';
	} else if (strcmp(key, "whiteout") == 0) {
		m->whiteout = true;
	} else if (strcmp(key, "origin") == 0) {
		m->copied_up = true;
	} else if (strcmp(key, "metacopy") == 0 || strcmp(key, "redirect") == 0) {
		return error_set(
			err, ERROR_UNSUPPORTED,
			"/%s is only a reference to a lower layer (attribute %s): it cannot be put into a layer",
			path, name);
	}
	return 0;
}

static void keep_xattr(struct file_xattrs *x, const char *name, const void *value, size_t len)
{
	unsigned char capability[20];

	if (strcmp(name, "security.capability") == 0) {
		len = capability_revision_2(value, len, capability);
		value = capability;
		if (len == 0)
			return;
	}
	GROW(x->items, x->n + 1, x->cap);
	/* Offsets, until all are there: the buffer moves when it grows. */
	x->items[x->n].name = (const char *)(uintptr_t)x->bytes.len;
	strbuf_add(&x->bytes, name, strlen(name) + 1);
	x->items[x->n].value = (const void *)(uintptr_t)x->bytes.len;
	x->items[x->n].len = len;
	strbuf_add(&x->bytes, value, len);
	x->n++;
}

static int compare_names(const void *a, const void *b)
{
	const struct xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void settle(struct file_xattrs *x)
{
	for (size_t i = 0; i < x->n; i++) {
		x->items[i].name = x->bytes.buf + (uintptr_t)x->items[i].name;
		x->items[i].value = x->bytes.buf + (uintptr_t)x->items[i].value;
	}
	if (x->n > 1)
		qsort(x->items, x->n, sizeof(*x->items), compare_names);
}

static int list_names(int fd, struct strbuf *out, const char *path, struct error *err)
{
	ssize_t len;

	do {
		len = flistxattr(fd, NULL, 0);
		if (len > 0) {
			strbuf_grow(out, (size_t)len);
			len = flistxattr(fd, out->buf, (size_t)len);
		}
	} while (len < 0 && errno == ERANGE);
	if (len < 0 && errno != ENOTSUP)
		return error_errno(err, "read the attributes of /%s", path);
	out->len = len > 0 ? (size_t)len : 0;
	return 0;
}

int marks_read(int fd, bool userns, struct marks *m, struct file_xattrs *x, const char *path,
	       struct error *err)
{
	const char *prefix = userns ? "user.overlay." : "trusted.overlay.";
	AUTO(strbuf) names = STRBUF_INIT;
	AUTO(strbuf) value = STRBUF_INIT;

	memset(m, 0, sizeof(*m));
	x->n = 0;
	strbuf_reset(&x->bytes);
	if (list_names(fd, &names, path, err) < 0)
		return -1;
	for (size_t at = 0; at < names.len; at += strlen(names.buf + at) + 1) {
		const char *name = names.buf + at;

		if (str_starts(name, prefix)) {
			if (read_mark(fd, name, name + strlen(prefix), m, path, err) < 0)
				return -1;
			continue;
		}
		if (strcmp(name, OWNER_MARK) == 0) {
			m->has_owner = fgetxattr(fd, name, &m->owner, sizeof(m->owner)) ==
				       (ssize_t)sizeof(m->owner);
			continue;
		}
		if (strcmp(name, DEVICE_MARK) == 0) {
			m->has_device = fgetxattr(fd, name, &m->device, sizeof(m->device)) ==
					(ssize_t)sizeof(m->device);
			continue;
		}
		if (!keeps(name))
			continue;
		strbuf_reset(&value);
		if (read_value(fd, name, &value, path, err) < 0)
			return -1;
		keep_xattr(x, name, value.buf, value.len);
	}
	settle(x);
	return 0;
}
