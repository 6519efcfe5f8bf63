# frozen_string_literal: true

# One worker per virtual CPU loads the whole machine; three threads each are what Rails generates.
worker_count = Integer(ENV.fetch("RAILSBENCH_PUMA_WORKERS"))

environment "production"
bind "tcp://127.0.0.1:#{Integer(ENV.fetch("RAILSBENCH_PUMA_PORT"))}"
threads 3, 3
# One CPU, or a platform without fork, is served by a single process.
workers worker_count > 1 ? worker_count : 0
preload_app! if worker_count > 1
