#include "sandbox/init.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *init_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		fail(STAGE_ORDERS, ENOMEM, "allocate memory");
	return p;
}

char *init_strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = init_alloc(len, 1);

	memcpy(copy, s, len);
	return copy;
}

struct record {
	uint32_t tag;
	const char *data;
	uint32_t len;
};

static uint32_t number_of(const struct record *r)
{
	uint32_t v;

	if (r->len != sizeof(v))
		fail(STAGE_ORDERS, 0, "malformed orders: number of tag %u", r->tag);
	memcpy(&v, r->data, sizeof(v));
	return v;
}

static uint64_t wide_number_of(const struct record *r)
{
	uint64_t v;

	if (r->len != sizeof(v))
		fail(STAGE_ORDERS, 0, "malformed orders: number of tag %u", r->tag);
	memcpy(&v, r->data, sizeof(v));
	return v;
}

/* The orders are mapped privately and writable, so their strings can be argv and environment. */
static char *string_of(const struct record *r)
{
	if (r->len == 0 || r->data[r->len - 1] != '\0' || strlen(r->data) != r->len - 1)
		fail(STAGE_ORDERS, 0, "malformed orders: string of tag %u", r->tag);
	return (char *)(uintptr_t)r->data;
}

static void list_add(struct list *l, char *s)
{
	char **items = realloc(l->items, (l->n + 2) * sizeof(*items));

	if (!items)
		fail(STAGE_ORDERS, ENOMEM, "allocate memory");
	items[l->n] = s;
	items[l->n + 1] = NULL;
	l->items = items;
	l->n++;
}

static struct mount_order *mount_add(struct orders *o, uint32_t kind)
{
	struct mount_order *mounts = realloc(o->mounts, (o->n_mounts + 1) * sizeof(*mounts));

	if (!mounts)
		fail(STAGE_ORDERS, ENOMEM, "allocate memory");
	o->mounts = mounts;
	memset(&mounts[o->n_mounts], 0, sizeof(*mounts));
	mounts[o->n_mounts].kind = kind;
	return &mounts[o->n_mounts++];
}

static void add_limit(struct orders *o, const struct record *r)
{
	struct order_limit *limits = realloc(o->limits, (o->n_limits + 1) * sizeof(*limits));

	if (!limits)
		fail(STAGE_ORDERS, ENOMEM, "allocate memory");
	o->limits = limits;
	if (r->len != sizeof(*limits))
		fail(STAGE_ORDERS, 0, "malformed orders: a limit");
	memcpy(&limits[o->n_limits++], r->data, sizeof(*limits));
}

static void add_number(int **numbers, size_t *n, int number)
{
	int *more = realloc(*numbers, (*n + 1) * sizeof(*more));

	if (!more)
		fail(STAGE_ORDERS, ENOMEM, "allocate memory");
	more[(*n)++] = number;
	*numbers = more;
}

static void read_mount(struct orders *o, const struct record *r)
{
	struct mount_order *m;

	if (o->n_mounts == 0)
		fail(STAGE_ORDERS, 0, "malformed orders: tag %u before a mount", r->tag);
	m = &o->mounts[o->n_mounts - 1];
	switch (r->tag) {
	case MOUNT_TARGET:
		m->target = string_of(r);
		break;
	case MOUNT_SOURCE:
		m->source = string_of(r);
		break;
	case MOUNT_SUBPATH:
		m->subpath = string_of(r);
		break;
	case MOUNT_LOWER:
		list_add(&m->lowers, string_of(r));
		break;
	case MOUNT_SCRATCH:
		m->scratch = string_of(r);
		break;
	case MOUNT_DATA:
		m->data = r->data;
		m->data_len = r->len;
		break;
	case MOUNT_ATTR:
		if (r->len != sizeof(m->attr))
			fail(STAGE_ORDERS, 0, "malformed orders: mount attributes");
		memcpy(&m->attr, r->data, sizeof(m->attr));
		break;
	default:
		fail(STAGE_ORDERS, 0, "malformed orders: unknown tag %u", r->tag);
	}
}

static bool read_string(struct orders *o, const struct record *r)
{
	switch (r->tag) {
	case ORDER_ROOT:
		o->root = string_of(r);
		return true;
	case ORDER_OWNERS:
		o->owners = string_of(r);
		return true;
	case ORDER_SECRET:
		list_add(&o->secrets, string_of(r));
		return true;
	case ORDER_SCRATCH:
		o->scratch = string_of(r);
		return true;
	case ORDER_LOWER:
		list_add(&o->lowers, string_of(r));
		return true;
	case ORDER_UPPER:
		o->upper = string_of(r);
		return true;
	case ORDER_WORK:
		o->work = string_of(r);
		return true;
	case ORDER_ARG:
		list_add(&o->args, string_of(r));
		return true;
	case ORDER_ENV:
		list_add(&o->env, string_of(r));
		return true;
	case ORDER_CWD:
		o->cwd = string_of(r);
		return true;
	case ORDER_USER:
		o->user = string_of(r);
		return true;
	case ORDER_HOSTNAME:
		o->hostname = string_of(r);
		return true;
	default:
		return false;
	}
}

static void read_record(struct orders *o, const struct record *r)
{
	if (read_string(o, r))
		return;
	switch (r->tag) {
	case ORDER_TASK:
		o->task = number_of(r);
		break;
	case ORDER_FLAGS:
		o->flags = number_of(r);
		break;
	case ORDER_USERNS_FD:
		o->userns_fd = (int)number_of(r);
		break;
	case ORDER_CONTROL_FD:
		o->control_fd = (int)number_of(r);
		report_to(o->control_fd);
		break;
	case ORDER_AGENT_FD:
		o->agent_fd = (int)number_of(r);
		break;
	case ORDER_EXEC_FD:
		o->exec_fd = (int)number_of(r);
		break;
	case ORDER_CGROUP_FD:
		add_number(&o->cgroup_fds, &o->n_cgroup_fds, (int)number_of(r));
		break;
	case ORDER_NAMESPACE_FD:
		add_number(&o->namespace_fds, &o->n_namespace_fds, (int)number_of(r));
		break;
	case ORDER_LISTEN:
		add_number(&o->ports, &o->n_ports, (int)number_of(r));
		break;
	case ORDER_PLAIN_FILTER:
		o->plain_filter = r->data;
		o->plain_filter_len = r->len;
		break;
	case ORDER_FILTER:
		o->filter = r->data;
		o->filter_len = r->len;
		break;
	case ORDER_SHM_SIZE:
		o->shm_size = wide_number_of(r);
		break;
	case ORDER_ADD_CAPS:
		o->add_caps = wide_number_of(r);
		break;
	case ORDER_DROP_CAPS:
		o->drop_caps = wide_number_of(r);
		break;
	case ORDER_LIMIT:
		add_limit(o, r);
		break;
	case ORDER_MOUNT:
		mount_add(o, number_of(r));
		break;
	default:
		read_mount(o, r);
	}
}

void orders_read(struct orders *o, int fd)
{
	struct stat st;
	size_t at = 0, size;
	char *block;

	memset(o, 0, sizeof(*o));
	o->userns_fd = o->control_fd = o->agent_fd = o->exec_fd = -1;
	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		fail(STAGE_ORDERS, errno, "read the orders");
	size = (size_t)st.st_size;
	block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (block == MAP_FAILED)
		fail(STAGE_ORDERS, errno, "read the orders");
	close(fd);
	while (at < size) {
		struct order_head head;
		struct record r;

		if (size - at < sizeof(head))
			fail(STAGE_ORDERS, 0, "malformed orders: cut short");
		memcpy(&head, block + at, sizeof(head));
		at += sizeof(head);
		if (head.len > size - at)
			fail(STAGE_ORDERS, 0, "malformed orders: cut short");
		r.tag = head.tag;
		r.data = block + at;
		r.len = head.len;
		read_record(o, &r);
		at += (head.len + 7u) & ~7u;
	}
}
