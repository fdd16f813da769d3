#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "sandbox/seccomp_table.h"

#ifndef AF_ALG
#define AF_ALG 38
#endif
#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

#define NAMESPACE_FLAGS                                                                            \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)

/* Changes when rules of this file change that are not in the tables. */
#define RULES_REVISION 3

static void release_filter(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}
#define AUTO_FILTER __attribute__((cleanup(release_filter))) scmp_filter_ctx

static int rule_failed(int r, const char *name, struct error *err)
{
	errno = -r;
	return error_errno(err, "build the system call filter: %s", name);
}

static bool in_table(const char *name, const char *const *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, table[i]) == 0)
			return true;
	return false;
}

/* A name the library does not know is a call that stays ENOSYS. */
static int add_rule(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned int n_args,
		    const struct scmp_arg_cmp *args, struct error *err)
{
	int number = seccomp_syscall_resolve_name(name), r;

	if (number == __NR_SCMP_ERROR)
		return 0;
	r = seccomp_rule_add_array(ctx, action, number, n_args, args);
	/* Without an equivalent on this architecture there is nothing to filter. */
	if (r < 0 && r != -EDOM)
		return rule_failed(r, name, err);
	return 0;
}

/* What one filter is made for. */
struct plan {
	bool native, pretend;
	const char *const *asked; /* calls that are handed over */
	size_t n_asked;
	const char *const *cases; /* calls that are with certain arguments */
	size_t n_cases;
};

static bool is_special(const struct plan *p, const char *name)
{
	if (in_table(name, p->asked, p->n_asked) || in_table(name, p->cases, p->n_cases))
		return true;
	return p->pretend && (in_table(name, seccomp_pretended, n_seccomp_pretended) ||
			      strncmp(name, "mknod", 5) == 0);
}

static int add_table(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n,
		     struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (add_rule(ctx, action, names[i], 0, NULL, err) < 0)
			return -1;
	return 0;
}

static int add_allowed(scmp_filter_ctx ctx, const struct plan *p, struct error *err)
{
	for (size_t i = 0; i < n_seccomp_allowed; i++)
		if (!is_special(p, seccomp_allowed[i]) &&
		    add_rule(ctx, SCMP_ACT_ALLOW, seccomp_allowed[i], 0, NULL, err) < 0)
			return -1;
	return 0;
}

static int add_pretended(scmp_filter_ctx ctx, const struct plan *p, struct error *err)
{
	for (size_t i = 0; i < n_seccomp_pretended; i++)
		if (!in_table(seccomp_pretended[i], p->asked, p->n_asked) &&
		    add_rule(ctx, SCMP_ACT_ERRNO(0), seccomp_pretended[i], 0, NULL, err) < 0)
			return -1;
	return 0;
}

/* SCMP_A0() and kin leave a field out, which clang warns of. */
static struct scmp_arg_cmp argument(unsigned int n, enum scmp_compare op, scmp_datum_t a,
				    scmp_datum_t b)
{
	return (struct scmp_arg_cmp){.arg = n, .op = op, .datum_a = a, .datum_b = b};
}

/* Threads and children, but no namespaces: not even a user namespace, the door to most kernel bugs. */
static int add_clone(scmp_filter_ctx ctx, struct error *err)
{
	const struct scmp_arg_cmp plain[] = {argument(0, SCMP_CMP_MASKED_EQ, NAMESPACE_FLAGS, 0)};

	if (add_rule(ctx, SCMP_ACT_ALLOW, "clone", 1, plain, err) < 0)
		return -1;
	for (unsigned int bit = 0; bit < 32; bit++) {
		const struct scmp_arg_cmp asked[] = {
			argument(0, SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit)};

		if ((NAMESPACE_FLAGS & (1u << bit)) &&
		    add_rule(ctx, SCMP_ACT_ERRNO(EPERM), "clone", 1, asked, err) < 0)
			return -1;
	}
	return 0;
}

/* Linux and 32-bit Linux, each with and without UNAME26, and the question which one it is. */
static int add_personality(scmp_filter_ctx ctx, struct error *err)
{
	static const uint32_t values[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const struct scmp_arg_cmp is[] = {argument(0, SCMP_CMP_EQ, values[i], 0)};

		if (add_rule(ctx, SCMP_ACT_ALLOW, "personality", 1, is, err) < 0)
			return -1;
	}
	return 0;
}

static int add_socket(scmp_filter_ctx ctx, bool native, struct error *err)
{
	const struct scmp_arg_cmp below[] = {argument(0, SCMP_CMP_LT, AF_ALG, 0)};
	const struct scmp_arg_cmp between[] = {argument(0, SCMP_CMP_EQ, AF_ALG + 1, 0)};
	const struct scmp_arg_cmp above[] = {argument(0, SCMP_CMP_GT, AF_VSOCK, 0)};
	const struct scmp_arg_cmp alg[] = {argument(0, SCMP_CMP_EQ, AF_ALG, 0)};
	const struct scmp_arg_cmp vsock[] = {argument(0, SCMP_CMP_EQ, AF_VSOCK, 0)};

	if (add_rule(ctx, SCMP_ACT_ALLOW, "socket", 1, below, err) < 0 ||
	    add_rule(ctx, SCMP_ACT_ALLOW, "socket", 1, between, err) < 0 ||
	    add_rule(ctx, SCMP_ACT_ALLOW, "socket", 1, above, err) < 0)
		return -1;
	/* For 32-bit x86 the library makes a rule for socketcall of each of these, which would refuse all sockets. */
	if (!native)
		return 0;
	if (add_rule(ctx, SCMP_ACT_ERRNO(EPERM), "socket", 1, alg, err) < 0 ||
	    add_rule(ctx, SCMP_ACT_ERRNO(EPERM), "socket", 1, vsock, err) < 0)
		return -1;
	return 0;
}

/* Devices cannot be made in a user namespace: pretended there, while files and pipes are made. */
static int add_mknod(scmp_filter_ctx ctx, struct error *err)
{
	static const struct {
		mode_t type;
		uint32_t action;
	} types[] = {
		{0, SCMP_ACT_ALLOW},          {S_IFREG, SCMP_ACT_ALLOW},
		{S_IFIFO, SCMP_ACT_ALLOW},    {S_IFSOCK, SCMP_ACT_ALLOW},
		{S_IFCHR, SCMP_ACT_ERRNO(0)}, {S_IFBLK, SCMP_ACT_ERRNO(0)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const struct scmp_arg_cmp mknod[] = {
			argument(1, SCMP_CMP_MASKED_EQ, S_IFMT, types[i].type)};
		const struct scmp_arg_cmp mknodat[] = {
			argument(2, SCMP_CMP_MASKED_EQ, S_IFMT, types[i].type)};

		if (add_rule(ctx, types[i].action, "mknod", 1, mknod, err) < 0 ||
		    add_rule(ctx, types[i].action, "mknodat", 1, mknodat, err) < 0)
			return -1;
	}
	return 0;
}

/* Flags of an open that makes a file, or lets it be written to. */
static int add_open(scmp_filter_ctx ctx, const char *name, unsigned int flags, struct error *err)
{
	const unsigned int makes = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
	const struct scmp_arg_cmp reads[] = {
		argument(flags, SCMP_CMP_MASKED_EQ, makes | O_ACCMODE, 0)};

	if (add_rule(ctx, SCMP_ACT_ALLOW, name, 1, reads, err) < 0)
		return -1;
	for (unsigned int bit = 0; bit < 32; bit++) {
		const struct scmp_arg_cmp asked[] = {
			argument(flags, SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit)};

		if (((makes | O_ACCMODE) & (1u << bit)) &&
		    add_rule(ctx, SCMP_ACT_NOTIFY, name, 1, asked, err) < 0)
			return -1;
	}
	return 0;
}

/* One value of one argument is asked about. */
static int add_value(scmp_filter_ctx ctx, const char *name, unsigned int arg, scmp_datum_t value,
		     struct error *err)
{
	const struct scmp_arg_cmp is[] = {argument(arg, SCMP_CMP_EQ, value, 0)};
	const struct scmp_arg_cmp is_not[] = {argument(arg, SCMP_CMP_NE, value, 0)};

	if (add_rule(ctx, SCMP_ACT_NOTIFY, name, 1, is, err) < 0)
		return -1;
	return add_rule(ctx, SCMP_ACT_ALLOW, name, 1, is_not, err);
}

static int add_cases(scmp_filter_ctx ctx, const struct plan *p, struct error *err)
{
	static const struct {
		const char *name;
		unsigned int arg;
		scmp_datum_t value;
	} values[] = {
		{"getsockopt", 2, SO_PEERCRED}, /* of whatever level; who answers looks */
		{"prctl", 0, PR_SET_KEEPCAPS},
		/* The limit that says who a process pretends to be (init_identity.h). */
		{"getrlimit", 0, RLIMIT_RTTIME},
		{"setrlimit", 0, RLIMIT_RTTIME},
		{"prlimit64", 1, RLIMIT_RTTIME},
	};

	if (p->n_cases == 0)
		return 0;
	if (add_open(ctx, "open", 1, err) < 0 || add_open(ctx, "openat", 2, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (add_value(ctx, values[i].name, values[i].arg, values[i].value, err) < 0)
			return -1;
	return 0;
}

static int add_rules(scmp_filter_ctx ctx, const struct plan *p, struct error *err)
{
	if (add_allowed(ctx, p, err) < 0 ||
	    add_table(ctx, SCMP_ACT_ERRNO(EPERM), seccomp_refused, n_seccomp_refused, err) < 0 ||
	    add_table(ctx, SCMP_ACT_NOTIFY, p->asked, p->n_asked, err) < 0 ||
	    add_cases(ctx, p, err) < 0 || add_clone(ctx, err) < 0 ||
	    add_personality(ctx, err) < 0 || add_socket(ctx, p->native, err) < 0)
		return -1;
	if (!p->pretend)
		return 0;
	if (add_pretended(ctx, p, err) < 0)
		return -1;
	return in_table("mknod", p->asked, p->n_asked) ? 0 : add_mknod(ctx, err);
}

static int make_filter(scmp_filter_ctx *out, uint32_t arch, const struct plan *p, struct error *err)
{
	AUTO_FILTER ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!ctx)
		return error_set(err, ERROR_SYSTEM, "build the system call filter: no memory");
	/* A call by a way that has no table does not exist either. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (r == 0 && !p->native)
		r = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
	if (r == 0 && !p->native)
		r = seccomp_arch_add(ctx, arch);
	if (r < 0)
		return rule_failed(r, "architecture", err);
	if (add_rules(ctx, p, err) < 0)
		return -1;
	*out = take_ptr(ctx);
	return 0;
}

static int export_filter(scmp_filter_ctx ctx, struct strbuf *out, struct error *err)
{
	AUTO_FD int fd = memfd_create("slipway-filter", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return error_errno(err, "build the system call filter: memory file");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return rule_failed(r, "export", err);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "build the system call filter: memory file");
	return fs_read_fd(fd, "the system call filter", out, 1u << 20, err);
}

int seccomp_program(enum seccomp_kind kind, struct strbuf *out, struct error *err)
{
	const bool pretend = kind == SECCOMP_PRETENDING || kind == SECCOMP_OWNERS;
	const struct plan other = {.pretend = pretend};
	struct plan own = {.native = true, .pretend = pretend};
	AUTO_FILTER ctx = NULL;
	scmp_filter_ctx second = NULL; /* owned by ctx once merged */
	uint32_t native = seccomp_arch_native(), sibling;
	int r;

	if (kind == SECCOMP_OWNERS) {
		own.asked = seccomp_owner_calls;
		own.n_asked = n_seccomp_owner_calls;
		own.cases = seccomp_owner_cases;
		own.n_cases = n_seccomp_owner_cases;
	} else if (kind == SECCOMP_PROC) {
		own.asked = seccomp_proc_calls;
		own.n_asked = n_seccomp_proc_calls;
	}
	if (native == SCMP_ARCH_X86_64)
		sibling = SCMP_ARCH_X86;
	else if (native == SCMP_ARCH_AARCH64)
		sibling = SCMP_ARCH_ARM;
	else
		return error_set(
			err, ERROR_UNSUPPORTED,
			"RUN is supported on x86_64 and aarch64 machines only: there is no system call filter for this one");
	if (make_filter(&ctx, native, &own, err) < 0 ||
	    make_filter(&second, sibling, &other, err) < 0)
		return -1;
	r = seccomp_merge(ctx, second);
	if (r < 0) {
		seccomp_release(second);
		return rule_failed(r, "merge", err);
	}
	/* A binary tree instead of a list: fewer steps for each call the step makes. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		return rule_failed(r, "optimize", err);
	return export_filter(ctx, out, err);
}

static void hash_table(struct sha256 *h, const char *const *names, size_t n)
{
	sha256_frame_int(h, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		sha256_frame_str(h, names[i]);
}

void seccomp_version_key(char out[SHA256_HEX_SIZE])
{
	const struct scmp_version *v = seccomp_version();
	AUTO(sha256) h = SHA256_INIT;

	sha256_init(&h);
	sha256_frame_int(&h, RULES_REVISION);
	sha256_frame_int(&h, seccomp_arch_native());
	if (v) {
		sha256_frame_int(&h, v->major);
		sha256_frame_int(&h, v->minor);
		sha256_frame_int(&h, v->micro);
	}
	hash_table(&h, seccomp_allowed, n_seccomp_allowed);
	hash_table(&h, seccomp_refused, n_seccomp_refused);
	hash_table(&h, seccomp_pretended, n_seccomp_pretended);
	hash_table(&h, seccomp_owner_calls, n_seccomp_owner_calls);
	hash_table(&h, seccomp_owner_cases, n_seccomp_owner_cases);
	hash_table(&h, seccomp_proc_calls, n_seccomp_proc_calls);
	sha256_final_hex(&h, out);
}
