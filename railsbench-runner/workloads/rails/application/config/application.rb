# frozen_string_literal: true

# A bookshop: the application that all benchmarks run. It is set up as in production, and the same
# way from Rails 6.1 on, so that figures of two machines differ by the machines alone.

# Older Rails and concurrent-ruby use these without requiring them; newer Ruby versions ship them
# as gems, which may be absent where nothing needs them.
%w[logger bigdecimal mutex_m base64 ostruct].each do |library|
  require library
rescue LoadError
  next
end

require "rails"
require "active_model/railtie"
require "active_record/railtie"
require "action_controller/railtie"
require "action_view/railtie"

module Bookshop
  class Application < Rails::Application
    config.root = File.expand_path("..", __dir__)
    config.load_defaults Rails.gem_version.segments.first(2).join(".")

    config.eager_load = true
    # The setting was turned round in Rails 7.1.
    if config.respond_to?(:enable_reloading=)
      config.enable_reloading = false
    else
      config.cache_classes = true
    end

    # From Rails 7.2 on an application switches YJIT on by itself; here the variant decides.
    config.yjit = false

    # Nothing is taken from a cache: what is measured is the rendering, not whether a cache is warm.
    config.action_controller.perform_caching = false
    config.cache_store = :null_store

    config.consider_all_requests_local = false
    config.public_file_server.enabled = false
    config.force_ssl = false
    config.hosts.clear
    config.logger = Logger.new(File::NULL)
    config.log_level = :warn
    config.active_support.deprecation = :silence
    config.filter_parameters += %i[password email]

    # Not a secret: cookies must be as long and as costly on every machine.
    config.secret_key_base = "0123456789abcdef" * 8
    config.session_store :cookie_store, key: "_bookshop_session"
    config.action_dispatch.cookies_serializer = :json

    config.i18n.available_locales = %i[en de]
    config.i18n.default_locale = :en
    config.time_zone = "UTC"

    # The folder of the suite may be read-only.
    config.paths.add "tmp", with: ENV.fetch("RAILSBENCH_SCRATCH_DIR")
    config.paths.add "log", with: File.join(ENV.fetch("RAILSBENCH_SCRATCH_DIR"), "production.log")
  end
end
