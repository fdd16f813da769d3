# SLIPWAY_STATIC: one program that needs nothing of the system it runs on. SLIPWAY_DEPENDENCIES is the folder that
# packaging/deps.sh made; nothing of what is installed here is linked but the C library.
if(SLIPWAY_STATIC)
	set(SLIPWAY_DEPENDENCIES "" CACHE PATH "Folder of packaging/deps.sh")
	set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
	set(PKG_CONFIG_ARGN --static)
	set(ENV{PKG_CONFIG_LIBDIR} ${SLIPWAY_DEPENDENCIES}/usr/lib/pkgconfig)
	# Small: code that no caller reaches goes, and tables for exceptions. Nor must the folder's place be part of the bytes.
	string(REPLACE -O3 -O2 CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
	add_compile_options(-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
		-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=.
		-ffile-prefix-map=${SLIPWAY_DEPENDENCIES}=.)
	add_compile_definitions(SLIPWAY_STATIC=1)
	# A list of what has to be moved takes half a megabyte, packed a few thousand bytes.
	include(CheckLinkerFlag)
	check_linker_flag(C -Wl,--fatal-warnings,-z,pack-relative-relocs SLIPWAY_PACKS_RELOCATIONS)
endif()

# The program of main.c alone; cmake/init.cmake has its own, which is always static.
function(slipway_link_statically target)
	if(SLIPWAY_STATIC)
		foreach(name dlopen dlsym dlclose dlerror dladdr getaddrinfo freeaddrinfo gethostbyname getservbyname
			getservbyport_r)
			target_link_options(${target} PRIVATE -Wl,--wrap=${name})
		endforeach()
		target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/packaging/no_plugins.c)
		target_link_options(${target} PRIVATE -static-pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
			-Wl,--gc-sections -Wl,--build-id=none -Wl,--fatal-warnings
			$<$<BOOL:${SLIPWAY_PACKS_RELOCATIONS}>:-Wl,-z,pack-relative-relocs>)
	endif()
endfunction()
