# syntax=docker/dockerfile:1
# One image for driver, scheduler, workers and the operator. Kernels are compiled in, for the CPU baseline CPU.
#
#   docker build -t riskpipe:1 .
#   docker build --build-arg CPU=x86-64-v4 -t riskpipe:1-v4 .

ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini binutils \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Dependencies first: they change less often than the sources.
COPY pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*project['dependencies'], *project['optional-dependencies']['kubernetes'], sep='\n')" > requirements.txt \
 && pip install --no-cache-dir --no-compile --disable-pip-version-check --root-user-action=ignore \
    --prefix /install -r requirements.txt
COPY README.md LICENSE ./
COPY riskpipe riskpipe
RUN pip install --no-cache-dir --no-compile --no-deps --disable-pip-version-check --root-user-action=ignore \
    --prefix /install .
# Out goes what no run needs: tests, headers, sources of extensions, symbols, and Kubernetes clients that dask-kubernetes
# asks for but neither it nor kopf must have. Bytecode is made here, so that pods need not. Whole seconds in the files'
# times: numba's cache compares them, and layers keep no more.
RUN cd /install/lib/python3.11/site-packages \
 && find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
 && find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.c' -o -name '*.cpp' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' \) -delete \
 && rm -rf pyarrow/include pyarrow/src kubernetes kubernetes_asyncio pykube \
 && find . -type f -name '*.so*' -not -path '*.libs/*' -exec strip --strip-unneeded {} + \
 && python -m compileall -q -s /install -p /usr/local --invalidation-mode unchecked-hash . \
 && find riskpipe -name '*.py' -exec touch -d 2000-01-01T00:00:00Z {} +

FROM ${PYTHON}
ARG CPU=x86-64-v3
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="riskpipe" \
      org.opencontainers.image.description="Batch risk for cross-asset books: Parquet in, pricing blocks on Dask, Parquet out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      io.riskpipe.cpu="${CPU}"
COPY --from=build /usr/bin/tini-static /usr/bin/tini
COPY --from=build /install /usr/local
# Compiled kernels: root's, and read-only to whoever runs. RISKPIPE_CPU holds for the pods, too: they find what is here.
ENV RISKPIPE_CPU=${CPU} RISKPIPE_CACHE_DIR=/opt/riskpipe/kernels
RUN riskpipe kernels compile && chmod -R a+rX,go-w /opt/riskpipe
# Any user id of group 0 may run it, without an entry in /etc/passwd; only /tmp is written to.
ENV HOME=/tmp USER=riskpipe LOGNAME=riskpipe \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:0
WORKDIR /tmp
ENTRYPOINT ["tini", "--"]
CMD ["riskpipe", "--help"]
