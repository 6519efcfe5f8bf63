# frozen_string_literal: true

# Boots the application, asks the database one thing, and ends: what `rails runner` does. The
# benchmark of the same name starts it and takes its time from outside.

require_relative "../lib/railsbench/application"
require_relative "../lib/railsbench/memory"
require "json"

Railsbench::Application.boot
puts JSON.generate({ books: Book.count, peak_bytes: Railsbench::Memory.peak_bytes,
                     ruby_description: RUBY_DESCRIPTION })
