# Two stages: the image that runs has the binary, no tools and no root.
FROM rust:1.95-bookworm AS build
WORKDIR /src
# By name: what else lies there (target/ with gigabytes, .env, gwbank.toml with passwords) stays out of image and cache.
COPY Cargo.toml Cargo.lock gwbank.example.toml ./
COPY src src
COPY crates crates
COPY migrations migrations
COPY benches benches
RUN cargo build --release --locked --bin gwbank

FROM debian:bookworm-slim
# A number that does not change: files of the host that only gwbank may read belong to it.
RUN useradd --uid 10001 --shell /usr/sbin/nologin --home /var/lib/gwbank --create-home gwbank
# The system's authorities, which mqtts:// trusts where no ca_file is named.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/gwbank /usr/local/bin/gwbank
USER gwbank
VOLUME /var/lib/gwbank
EXPOSE 1883 8080 50051
ENTRYPOINT ["gwbank"]
CMD ["serve", "--data-dir", "/var/lib/gwbank"]
