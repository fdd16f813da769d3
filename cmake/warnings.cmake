# The warnings every file is compiled with, under gcc and clang, and the flags
# of the build kinds.
set(SLIPWAY_WARNINGS
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
	-Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wcast-qual -Wimplicit-fallthrough
	-Wswitch-enum -Wnull-dereference -fno-common -Werror)

function(slipway_flags target)
	target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:${SLIPWAY_WARNINGS}>)
	target_compile_definitions(${target} PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64
		SLIPWAY_VERSION="${PROJECT_VERSION}")
	target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
	if(SLIPWAY_SANITIZE)
		target_compile_options(${target} PRIVATE -fsanitize=address,undefined
			-fno-sanitize-recover=all -fno-omit-frame-pointer)
		target_link_options(${target} PRIVATE -fsanitize=address,undefined)
	elseif(SLIPWAY_TSAN)
		target_compile_options(${target} PRIVATE -fsanitize=thread -fno-omit-frame-pointer)
		target_link_options(${target} PRIVATE -fsanitize=thread)
	elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
		target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:-fstack-protector-strong>
			-fPIE)
		target_compile_definitions(${target} PRIVATE _FORTIFY_SOURCE=2)
		if(NOT SLIPWAY_STATIC)
			target_link_options(${target} PRIVATE -pie -Wl,-z,relro,-z,now)
		endif()
	endif()
	if(SLIPWAY_FUZZ)
		target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
	endif()
endfunction()
