# What `cmake --install` puts where. Components: "program" is for those who run addend, "development" for those whose
# programs link it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# addend_objects(OUT TARGET): the objects of TARGET and of all folders that it needs, for one archive.
function(addend_objects out target)
  set(waiting ${target})
  set(seen)
  while(waiting)
    list(POP_FRONT waiting next)
    if(next IN_LIST seen OR NOT next MATCHES "^addend_")
      continue()
    endif()
    list(APPEND seen ${next})
    get_target_property(needs ${next} INTERFACE_LINK_LIBRARIES)
    if(needs)
      list(APPEND waiting ${needs})
    endif()
  endwhile()
  list(TRANSFORM seen REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
  set(${out} ${seen} PARENT_SCOPE)
endfunction()

# The library: src/library and all that it needs as one archive, libaddend.a, so that a program links one file and sees
# one header. What it needs from the system is found by addendConfig.cmake, under a name that no other project uses.
addend_objects(objects addend_library)
add_library(addend_archive STATIC ${objects})
set_target_properties(addend_archive PROPERTIES OUTPUT_NAME addend EXPORT_NAME addend LINKER_LANGUAGE CXX)
target_compile_features(addend_archive INTERFACE cxx_std_20)
target_include_directories(addend_archive INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# LINK_ONLY: what compiles against addend.h needs none of their headers and definitions.
target_link_libraries(addend_archive INTERFACE $<INSTALL_INTERFACE:Threads::Threads>
                                               $<INSTALL_INTERFACE:$<LINK_ONLY:PkgConfig::addend_needs>>)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/addend)
list(JOIN library_modules " " library_modules)
configure_file(cmake/addendConfig.cmake.in addendConfig.cmake @ONLY)
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(addendConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS addend RUNTIME COMPONENT program)
install(TARGETS addend_archive EXPORT addend ARCHIVE COMPONENT development)
install(EXPORT addend NAMESPACE addend:: FILE addendTargets.cmake DESTINATION ${package_folder} COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/addendConfig.cmake ${PROJECT_BINARY_DIR}/addendConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT development)
install(FILES src/library/addend.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/addend COMPONENT development)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)

# Manual pages and completions are made by the program itself: from its definitions, so by the one that was just built.
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  set(documents ${PROJECT_BINARY_DIR}/documents)
  add_custom_command(
    OUTPUT ${documents}/made
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${documents}
    COMMAND addend documents ${documents}
    COMMAND ${CMAKE_COMMAND} -E touch ${documents}/made
    DEPENDS addend
    COMMENT "Making manual pages and completions"
    VERBATIM)
  add_custom_target(addend_documents ALL DEPENDS ${documents}/made)
  install(DIRECTORY ${documents}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
  install(DIRECTORY ${documents}/bash/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
  install(DIRECTORY ${documents}/zsh/ DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT program)
else()
  message(STATUS "No manual pages and completions: they need CMAKE_CROSSCOMPILING_EMULATOR")
endif()

install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
