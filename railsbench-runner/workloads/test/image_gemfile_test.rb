# frozen_string_literal: true

require "minitest/autorun"
require "minitest/mock"

# The Gemfile of the runner image asks for gems that go together, for every Ruby and Rails.
class ImageGemfileTest < Minitest::Test
  GEMFILE = File.expand_path("../../image/Gemfile", __dir__)

  # Writes down what a Gemfile asks for.
  class Recorder
    attr_reader :gems

    def initialize
      @gems = {}
    end

    def source(url)
      raise "not by https: #{url}" unless url.start_with?("https://")
    end

    def gem(name, *requirements)
      @gems[name] = Gem::Requirement.new(*requirements)
    end
  end

  def gems(ruby:, rails: "")
    ENV["RAILSBENCH_RAILS"] = rails
    recorder = Recorder.new
    Gem.stub(:ruby_version, Gem::Version.new(ruby)) do
      recorder.instance_eval(File.read(GEMFILE), GEMFILE)
    end
    recorder.gems
  ensure
    ENV.delete("RAILSBENCH_RAILS")
  end

  def takes?(gems, name, version)
    gems.fetch(name).satisfied_by?(Gem::Version.new(version))
  end

  def test_the_default_is_one_rails_that_the_ruby_takes
    { "3.1.2" => "7.2.3", "3.2.0" => "8.0.4", "3.4.1" => "8.0.4" }.each do |ruby, rails|
      assert_equal Gem::Requirement.new(rails), gems(ruby: ruby)["rails"], ruby
    end
  end

  def test_a_beginning_of_a_version_is_the_newest_of_those
    found = gems(ruby: "3.3.0", rails: "7.1")
    assert takes?(found, "rails", "7.1.5.2")
    refute takes?(found, "rails", "7.2.0")
    assert_equal Gem::Requirement.new("7.1.5"), gems(ruby: "3.3.0", rails: "7.1.5")["rails"]
  end

  # What the SQLite adapter of each Rails asks for by `gem "sqlite3", …`.
  def test_sqlite_fits_the_adapter_of_rails
    adapters = { "6.1" => "~> 1.4", "7.0" => "~> 1.4", "7.1" => "~> 1.4", "7.2" => ">= 1.4", "8.0" => ">= 2.1" }
    adapters.each do |rails, wanted|
      requirement = gems(ruby: "3.3.0", rails: rails)["sqlite3"]
      version = requirement.satisfied_by?(Gem::Version.new("2.7.4")) ? "2.7.4" : "1.7.3"
      assert requirement.satisfied_by?(Gem::Version.new(version)), rails
      assert Gem::Requirement.new(wanted).satisfied_by?(Gem::Version.new(version)), "#{rails}: #{version}"
    end
  end

  def test_old_rails_gets_what_it_leaves_unsaid
    old = gems(ruby: "3.4.1", rails: "7.0")
    %w[base64 bigdecimal drb mutex_m].each { |name| assert_includes old, name }
    refute takes?(old, "concurrent-ruby", "1.3.5")
    refute_includes gems(ruby: "3.1.2", rails: "7.0"), "mutex_m"
    refute_includes gems(ruby: "3.4.1", rails: "7.1"), "concurrent-ruby"
  end
end
