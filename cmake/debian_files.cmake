# Run by CPack on what it has installed, before it makes a Debian package of it: Debian's places, compression and names.
file(GLOB roots ${CPACK_TEMPORARY_DIRECTORY}/*${CPACK_PACKAGING_INSTALL_PREFIX})
find_program(GZIP gzip REQUIRED)
find_program(STRIP strip REQUIRED)

foreach(root ${roots})
  # CPack strips programs, not archives.
  file(GLOB_RECURSE archives ${root}/lib/*.a)
  foreach(archive ${archives})
    execute_process(COMMAND ${STRIP} --strip-debug --enable-deterministic-archives ${archive} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()

  # Debian's zsh does not look into /usr/share/zsh/site-functions.
  if(EXISTS ${root}/share/zsh/site-functions)
    file(RENAME ${root}/share/zsh/site-functions ${root}/share/zsh/vendor-completions)
  endif()

  file(GLOB pages ${root}/share/man/man1/*.1)
  foreach(page ${pages})
    execute_process(COMMAND ${GZIP} -9n ${page} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()

  # Documents lie under the name of the package that brings them.
  set(documents ${root}/share/doc/addend)
  if(EXISTS ${documents}/examples)
    file(RENAME ${documents} ${root}/share/doc/addend-dev)
    set(documents ${root}/share/doc/addend-dev)
  endif()
  if(EXISTS ${documents}/CHANGELOG.md)
    file(RENAME ${documents}/CHANGELOG.md ${documents}/changelog)
    execute_process(COMMAND ${GZIP} -9n ${documents}/changelog COMMAND_ERROR_IS_FATAL ANY)
    file(REMOVE ${documents}/LICENSE)
  endif()
  # The time is that of SOURCE_DATE_EPOCH where it is set: then packages repeat.
  string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
  file(WRITE ${documents}/changelog.Debian "addend (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Made by cpack; what is new stands in the changelog of the package addend.

 -- ${CPACK_PACKAGE_CONTACT}  ${now}
")
  execute_process(COMMAND ${GZIP} -9n ${documents}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE ${documents}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: addend

Files: *
Copyright: 2026 The addend authors
License: Apache-2.0

License: Apache-2.0
 On Debian systems the text of this licence, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
")
endforeach()
