#include "builder/copy_source.h"

#include "copy_fixture.h"

/* Rules of BuildKit's COPY, each observed there: sources. */
static const struct copy_row sources[] = {
	{.files = "f 644 0:0 a=1", .line = "COPY a /b", .wanted = "f 644 0:0 b=1\n"},
	/* the root is the limit */
	{.files = "f 644 0:0 a=1", .line = "COPY /a /b", .wanted = "f 644 0:0 b=1\n"},
	{.files = "f 644 0:0 a=1", .line = "COPY ../../a /b", .wanted = "f 644 0:0 b=1\n"},
	{.files = "f 644 0:0 etc/passwd=mine",
	 .line = "COPY ../../etc/passwd /b",
	 .wanted = "f 644 0:0 b=mine\n"},
	/* the contents of a folder, never the folder: its mode is nobody's */
	{.files = "d 700 0:0 d\nf 644 0:0 d/a=1\nd 750 0:0 d/e",
	 .line = "COPY d /new",
	 .wanted = "d 755 0:0 new\nf 644 0:0 new/a=1\nd 750 0:0 new/e\n"},
	{.files = "f 644 0:0 d/a=1",
	 .line = "COPY d/ /new/",
	 .wanted = "d 755 0:0 new\nf 644 0:0 new/a=1\n"},
	{.files = "f 644 0:0 d/a=1",
	 .line = "COPY d/. /new",
	 .wanted = "d 755 0:0 new\nf 644 0:0 new/a=1\n"},
	{.files = "f 644 0:0 a=1\nf 644 0:0 d/b=2",
	 .line = "COPY . /new/",
	 .wanted = "d 755 0:0 new\nf 644 0:0 new/a=1\nd 755 0:0 new/d\nf 644 0:0 new/d/b=2\n"},
	{.files = "f 644 0:0 d/a=1", .line = "COPY d /", .wanted = "f 644 0:0 a=1\n"},
	/* empty folders are kept; an empty one makes its destination */
	{.files = "d 755 0:0 d", .line = "COPY d /new", .wanted = "d 755 0:0 new\n"},
	/* a named link is followed inside the root, a link on the walk is copied */
	{.files = "f 644 0:0 a=1\nl 777 0:0 l -> a",
	 .line = "COPY l /b",
	 .wanted = "f 644 0:0 b=1\n"},
	{.files = "f 644 0:0 a=1\nl 777 0:0 l -> a",
	 .line = "COPY l /d/",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/l=1\n"},
	{.files = "f 644 0:0 etc/x=1\nl 777 0:0 l -> /etc/x",
	 .line = "COPY l /b",
	 .wanted = "f 644 0:0 b=1\n"},
	{.files = "f 644 0:0 x=1\nl 777 0:0 d/l -> ../../../../x",
	 .line = "COPY d/l /b",
	 .wanted = "f 644 0:0 b=1\n"},
	{.files = "f 644 0:0 d/a=1\nl 777 0:0 l -> d",
	 .line = "COPY l/a /b",
	 .wanted = "f 644 0:0 b=1\n"},
	{.files = "f 644 0:0 d/a=1\nl 777 0:0 l -> d",
	 .line = "COPY l /b",
	 .wanted = "d 755 0:0 b\nf 644 0:0 b/a=1\n"},
	{.files = "d 755 0:0 d\nl 777 0:0 d/out -> /etc/passwd\nl 777 0:0 d/gone -> nowhere",
	 .line = "COPY d /b",
	 .wanted = "d 755 0:0 b\nl 777 0:0 b/gone -> nowhere\nl 777 0:0 b/out -> /etc/passwd\n"},
	/* ".." behind a link goes where the kernel would */
	{.files =
		 "f 644 0:0 deep/x=1\nd 755 0:0 deep/er\nl 777 0:0 l -> deep/er\nl 777 0:0 m -> l/../x",
	 .line = "COPY m /b",
	 .wanted = "f 644 0:0 b=1\n"},
	{.files = "l 777 0:0 l -> l",
	 .line = "COPY l /b",
	 .error = "Too many levels",
	 .kind = ERROR_SYSTEM},
	{.files = "l 777 0:0 l -> nowhere",
	 .line = "COPY l /b",
	 .error = "\"/l\": not found",
	 .kind = ERROR_NOT_FOUND},
	/* modes are kept, with all their bits */
	{.files = "f 4755 0:0 d/suid=1\nf 1600 0:0 d/sticky=2\nd 1777 0:0 d/tmp\nd 2770 0:0 d/g",
	 .line = "COPY d /b/",
	 .wanted = "d 755 0:0 b\nd 2770 0:0 b/g\nf 1600 0:0 b/sticky=2\nf 4755 0:0 b/suid=1\n"
		   "d 1777 0:0 b/tmp\n"},
	{.files = "f 644 0:0 d/a=1\nh 644 0:0 d/b => d/a\np 600 0:0 d/fifo",
	 .line = "COPY d /x",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\nh 644 0:0 x/b => x/a\np 600 0:0 x/fifo\n"},
	/* hard links are those of one source */
	{.files = "f 644 0:0 a=1\nh 644 0:0 b => a",
	 .line = "COPY a b /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\nf 644 0:0 x/b=1\n"},
	{.files = "p 600 0:0 fifo", .line = "COPY fifo /x", .wanted = "p 600 0:0 x\n"},
	/* names are bytes */
	{.files = "f 644 0:0 d/\xff\xfe=1\nf 644 0:0 d/a b=2",
	 .line = "COPY d /x",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a b=2\nf 644 0:0 x/\xff\xfe=1\n"},
	{.files = "f 644 0:0 a b=2",
	 .line = "COPY [\"a b\", \"/x y\"]",
	 .wanted = "f 644 0:0 x y=2\n"},
	{.line = "COPY nope /x", .error = "\"/nope\": not found", .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a/b /x",
	 .error = "\"/a/b\": not found",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 README=1",
	 .line = "COPY readme /x",
	 .error = "Did you mean README?",
	 .kind = ERROR_NOT_FOUND},
	{.files = "d 755 0:0 src\nf 644 0:0 src/main.c=1",
	 .line = "COPY src/mian.c /x",
	 .error = "Did you mean src/main.c?",
	 .kind = ERROR_NOT_FOUND},
	{.files = "d 755 0:0 src\nf 644 0:0 src/main.c=1",
	 .line = "COPY scr/main.c /x",
	 .error = "Did you mean src/main.c?",
	 .kind = ERROR_NOT_FOUND},
	{.files = "d 755 0:0 src\nf 644 0:0 src/main.c=1",
	 .line = "COPY main.c /x",
	 .error = "Did you mean src/main.c?",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 d/.wh.a=1",
	 .line = "COPY d /x",
	 .error = ".wh.a",
	 .kind = ERROR_UNSUPPORTED},
};

static void copies_sources(void **state)
{
	check_rows(*state, sources);
}

/* Kernels without openat2(): the same by steps. */
static void copies_sources_without_openat2(void **state)
{
	fs_no_openat2 = true;
	check_rows(*state, sources);
	fs_no_openat2 = false;
}

static const struct copy_row wildcards[] = {
	{.files = "f 644 0:0 a.txt=1\nf 644 0:0 b.txt=2\nf 644 0:0 c.md=3\nf 644 0:0 .d.txt=4",
	 .line = "COPY *.txt /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/.d.txt=4\nf 644 0:0 x/a.txt=1\nf 644 0:0 x/b.txt=2\n"},
	{.files = "f 644 0:0 a1=1\nf 644 0:0 a2=2\nf 644 0:0 ab=3",
	 .line = "COPY a[0-9] /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a1=1\nf 644 0:0 x/a2=2\n"},
	{.files = "f 644 0:0 a1=1\nf 644 0:0 ab=3",
	 .line = "COPY a[^0-9] /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/ab=3\n"},
	{.files = "f 644 0:0 p/a/x=1\nf 644 0:0 p/b/x=2\nf 644 0:0 p/x=3",
	 .line = "COPY p/?/x /d",
	 .wanted = "f 644 0:0 d=2\n"},
	/* "**" is "*" without --parents */
	{.files = "f 644 0:0 a/x=1\nf 644 0:0 a/b/x=2",
	 .line = "COPY **/x /d/",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/x=1\n"},
	/* a matched folder gives its contents */
	{.files = "f 644 0:0 da/x=1\nf 644 0:0 db/y=2",
	 .line = "COPY d* /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/x=1\nf 644 0:0 x/y=2\n"},
	{.files = "f 644 0:0 a=1\nl 777 0:0 la -> a",
	 .line = "COPY l* /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/la=1\n"},
	/* links are not folders where a wildcard looks */
	{.files = "f 644 0:0 real/x=1\nl 777 0:0 link -> real",
	 .line = "COPY */x /d/",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/x=1\n"},
	{.files = "f 644 0:0 real/x=1\nl 777 0:0 link -> real",
	 .line = "COPY link/* /d/",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/x=1\n"},
	/* nothing matches: nothing is copied, not even the folder is made */
	{.files = "f 644 0:0 a=1", .line = "COPY *.none /x/", .wanted = ""},
	{.files = "f 644 0:0 a=1", .line = "COPY none/* /x/", .wanted = ""},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY a *.none /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY [\"[a-\", \"/x/\"]",
	 .error = "malformed pattern",
	 .kind = ERROR_SYNTAX},
	{.files = "f 644 0:0 a*b=1\nf 644 0:0 aXb=2",
	 .line = "COPY a[*]b /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a*b=1\n"},
};

static void expands_wildcards(void **state)
{
	check_rows(*state, wildcards);
}

/* --parents: what stands above a source, or between "/./" and it, is kept. */
static const struct copy_row parents[] = {
	{.files = "f 644 0:0 x/y/a=1\nf 600 0:0 z/b=2",
	 .line = "COPY --parents x/y/a z/b /d/",
	 .wanted = "d 755 0:0 d\nd 755 0:0 d/x\nd 755 0:0 d/x/y\nf 644 0:0 d/x/y/a=1\n"
		   "d 755 0:0 d/z\nf 600 0:0 d/z/b=2\n"},
	{.files = "f 644 0:0 x/y/a=1",
	 .line = "COPY --parents ./x/./y/a /d",
	 .wanted = "d 755 0:0 d\nd 755 0:0 d/y\nf 644 0:0 d/y/a=1\n"},
	{.files = "f 644 0:0 x/y/a=1",
	 .line = "COPY --parents x/y/./a /d/",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/a=1\n"},
	/* a folder comes itself, its parents are made */
	{.files = "d 700 0:0 x\nd 750 0:0 x/y\nf 644 0:0 x/y/a=1",
	 .line = "COPY --parents x/y /d/",
	 .wanted = "d 755 0:0 d\nd 755 0:0 d/x\nd 750 0:0 d/x/y\nf 644 0:0 d/x/y/a=1\n"},
	{.files = "f 644 0:0 x/a=1",
	 .line = "COPY --parents . /d/",
	 .wanted = "d 755 0:0 d\nd 755 0:0 d/x\nf 644 0:0 d/x/a=1\n"},
	/* the pivot counts folders, whatever the pattern in front of it is called */
	{.files = "f 644 0:0 one/p/a=1\nf 644 0:0 three/p/b=2",
	 .line = "COPY --parents */./p/* /d/",
	 .wanted = "d 755 0:0 d\nd 755 0:0 d/p\nf 644 0:0 d/p/a=1\nf 644 0:0 d/p/b=2\n"},
	/* "**" crosses folders */
	{.files = "f 644 0:0 a.c=1\nf 644 0:0 x/b.c=2\nf 644 0:0 x/y/c.c=3\nf 644 0:0 x/y/d.h=4",
	 .line = "COPY --parents **/*.c /d/",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/a.c=1\nd 755 0:0 d/x\nf 644 0:0 d/x/b.c=2\n"
		   "d 755 0:0 d/x/y\nf 644 0:0 d/x/y/c.c=3\n"},
	{.files = "f 644 0:0 a=1\nf 644 0:0 src/x/b.c=2\nf 644 0:0 src/c.c=3",
	 .line = "COPY --parents src/./**/*.c /d/",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/c.c=3\nd 755 0:0 d/x\nf 644 0:0 d/x/b.c=2\n"},
	{.files = "f 644 0:0 a=1", .line = "COPY --parents **/none /d/", .wanted = ""},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY --parents x/none /d/",
	 .error = "\"/x/none\": not found",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 x/y/a=1",
	 .line = "COPY --parents --chown=3:4 --chmod=700 x/y /d/",
	 .wanted = "d 755 3:4 d\nd 755 3:4 d/x\nd 700 3:4 d/x/y\nf 700 3:4 d/x/y/a=1\n"},
	/* excludes see the kept path */
	{.files = "f 644 0:0 x/y/a=1\nf 644 0:0 x/y/b=2\nf 644 0:0 z/a=3",
	 .line = "COPY --parents --exclude=x/y/a x/y z/a /d/",
	 .wanted = "d 755 0:0 d\nd 755 0:0 d/x\nd 755 0:0 d/x/y\nf 644 0:0 d/x/y/b=2\n"
		   "d 755 0:0 d/z\nf 644 0:0 d/z/a=3\n"},
	{.from = "f 644 0:0 usr/lib/a.so=1\nf 644 0:0 usr/lib/x/b.so=2\nf 644 0:0 usr/c=3",
	 .line = "COPY --from=s --parents /usr/./lib/**/*.so /",
	 .wanted =
		 "d 755 0:0 lib\nf 644 0:0 lib/a.so=1\nd 755 0:0 lib/x\nf 644 0:0 lib/x/b.so=2\n"},
};

static void keeps_parents(void **state)
{
	check_rows(*state, parents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(copies_sources),
		copy_test(copies_sources_without_openat2),
		copy_test(expands_wildcards),
		copy_test(keeps_parents),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
