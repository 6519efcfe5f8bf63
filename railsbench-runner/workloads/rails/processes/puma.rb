# frozen_string_literal: true

# Serves the application as its config/puma.rb says. In a process of its own, started without a
# shell or a wrapper script, so that it is this Ruby with the variant's flags.

require "puma"
require "puma/cli"
require_relative "../lib/railsbench/application"

Dir.chdir(Railsbench::Application::FOLDER)
Puma::CLI.new(["--config", "config/puma.rb"]).run
