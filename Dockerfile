# addend in a small image:
#   docker build -t addend .
#   docker run --rm -it -v "$PWD:/models" addend chat model.gguf
#   docker run --rm -p 8080:8080 -v "$PWD:/models:ro" addend serve model.gguf --host 0.0.0.0
# The image holds the Debian package that the first stage makes, and what that depends on.
FROM debian:bookworm-slim AS build
WORKDIR /addend
COPY scripts/install_packages.sh scripts/
RUN scripts/install_packages.sh --package
COPY . .
RUN cmake --preset release -DADDEND_TESTS=OFF -DADDEND_BENCH=OFF \
 && cmake --build --preset release \
 && (cd build/release && cpack -G DEB -B /packages)

FROM debian:bookworm-slim
COPY --from=build /packages/addend_*.deb /tmp/
RUN apt-get -q update \
 && apt-get -q install -y --no-install-recommends /tmp/addend_*.deb \
 && rm -rf /tmp/addend_*.deb /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 addend
USER addend
WORKDIR /models
EXPOSE 8080
ENTRYPOINT ["addend"]
CMD ["--help"]
