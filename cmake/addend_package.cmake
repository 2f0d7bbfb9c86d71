# `cpack -G DEB` in a build folder makes two Debian packages: addend (the program, its pages, documents) and addend-dev
# (the library). Their files are those of the components in addend_install.cmake, in the places that Debian has for them.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME addend)
set(CPACK_PACKAGE_VENDOR "The addend authors")
set(ADDEND_MAINTAINER "The addend authors <addend@localhost>" CACHE STRING "Whom a Debian package names as its maintainer")
set(CPACK_PACKAGE_CONTACT "${ADDEND_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian_files.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Folders of 0755 and files of 0644, whatever the umask of who builds.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME addend)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "compress language models to a few bits and run them on CPUs
addend compresses large language models to between half a bit and two and a
half bits per weight by Double Binary Factorization, and runs them: in the
terminal, or as a server with OpenAI's API. It reads Hugging Face folders and
GGUF files and needs no GPU.")
find_program(SHLIBDEPS dpkg-shlibdeps)
if(SHLIBDEPS)
  set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
else()
  message(STATUS "No dpkg-shlibdeps: a Debian package made here will not name the libraries that it needs")
endif()

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME addend-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
# The archive names no libraries, so nobody can find them out: those that addendConfig.cmake asks for.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libopenblas-dev, libpcre2-dev, libutf8proc-dev, libxxhash-dev, pkg-config | pkgconf")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "run compressed language models from C++ programs
The library of addend: a static archive, one header and a CMake package, with
which a C++20 program loads a model, goes on from texts and answers chats.

The program that compresses models is in the package addend.")

include(CPack)
