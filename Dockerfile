# Two stages: the image that runs has the binary, no tools and no root.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin gwbank

FROM debian:bookworm-slim
RUN useradd --system --home /var/lib/gwbank --create-home gwbank
COPY --from=build /src/target/release/gwbank /usr/local/bin/gwbank
USER gwbank
VOLUME /var/lib/gwbank
EXPOSE 1883 8080
ENTRYPOINT ["gwbank"]
CMD ["serve", "--data-dir", "/var/lib/gwbank"]
