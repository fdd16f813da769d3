/*
 * Functions of the C library that load other libraries when they are called, as the static program has them instead: it
 * would need, at run time, the very C library that it was linked with. What links them has no use for them here (names
 * are resolved by c-ares; OpenSSL has its providers built in), so that each says that there is nothing. The linker puts
 * __wrap_NAME where NAME is called (cmake/static.cmake); any other such function is an error of the link.
 */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>

void *__wrap_dlopen(const char *file, int mode);
void *__wrap_dlsym(void *handle, const char *name);
int __wrap_dlclose(void *handle);
char *__wrap_dlerror(void);
int __wrap_dladdr(const void *address, Dl_info *info);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		       struct addrinfo **found);
void __wrap_freeaddrinfo(struct addrinfo *found);
struct hostent *__wrap_gethostbyname(const char *name);
struct servent *__wrap_getservbyname(const char *name, const char *protocol);
int __wrap_getservbyport_r(int port, const char *protocol, struct servent *entry, char *buffer,
			   size_t size, struct servent **found);

void *__wrap_dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

void *__wrap_dlsym(void *handle, const char *name)
{
	(void)handle;
	(void)name;
	return NULL;
}

int __wrap_dlclose(void *handle)
{
	(void)handle;
	return -1;
}

char *__wrap_dlerror(void)
{
	static char none[] = "the static program loads no libraries";

	return none;
}

int __wrap_dladdr(const void *address, Dl_info *info)
{
	(void)address;
	(void)info;
	return 0;
}

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		       struct addrinfo **found)
{
	(void)name;
	(void)service;
	(void)hints;
	*found = NULL;
	return EAI_FAIL;
}

void __wrap_freeaddrinfo(struct addrinfo *found)
{
	(void)found;
}

struct hostent *__wrap_gethostbyname(const char *name)
{
	(void)name;
	return NULL;
}

struct servent *__wrap_getservbyname(const char *name, const char *protocol)
{
	(void)name;
	(void)protocol;
	return NULL;
}

int __wrap_getservbyport_r(int port, const char *protocol, struct servent *entry, char *buffer,
			   size_t size, struct servent **found)
{
	(void)port;
	(void)protocol;
	(void)entry;
	(void)buffer;
	(void)size;
	*found = NULL;
	return ENOENT;
}
