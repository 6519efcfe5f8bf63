# frozen_string_literal: true

# Tests of the Rails suite as the runner starts it, with real processes, Rails and Puma.
#
#   ruby railsbench-runner/workloads/test/rails_suite_test.rb
#
# Needs what the suite needs (on Debian: ruby ruby-rails ruby-sqlite3 puma), minitest and Linux.

require "csv"
require "fileutils"
require "json"
require "minitest/autorun"
require "open3"
require "rbconfig"
require "timeout"
require "tmpdir"

SUITE = File.expand_path("../rails", __dir__)

class RailsSuiteTest < Minitest::Test
  # The tests wait for processes of their own.
  parallelize_me!

  # Long enough for the slowest machine; nothing is asserted about time.
  PATIENCE = 120

  def setup
    @folder = Dir.mktmpdir("railsbench-suite")
    %w[output scratch].each { |name| Dir.mkdir(File.join(@folder, name)) }
    @progress = File.join(@folder, "progress")
    File.mkfifo(@progress)
    @reader = File.open(@progress, File::RDWR | File::NONBLOCK)
  end

  def teardown
    @reader.close
    FileUtils.rm_rf(@folder)
  end

  def environment(specification, **more)
    path = File.join(@folder, "specification.json")
    File.write(path, JSON.generate(specification))
    { "RAILSBENCH_SPEC" => path, "RAILSBENCH_OUTPUT_DIR" => File.join(@folder, "output"),
      "RAILSBENCH_SCRATCH_DIR" => File.join(@folder, "scratch"),
      "RAILSBENCH_PROGRESS" => @progress, **more }
  end

  def run_suite(specification, suite: SUITE, environment: {})
    Open3.capture3(environment(specification, **environment), RbConfig.ruby, "run.rb", chdir: suite)
  end

  def output
    JSON.parse(File.read(File.join(@folder, "output", "output.json")))
  end

  def progress_lines
    @reader.read_nonblock(1_000_000).lines.map { |line| JSON.parse(line) }
  end

  # Asked apart from the suite's own way of asking.
  def variants
    yjit = system(RbConfig.ruby, "--yjit", "-e", "exit RubyVM::YJIT.enabled?", err: File::NULL)
    yjit ? %w[interp yjit] : %w[interp]
  end

  # A process, told from a later one of the same number by when it began.
  Running = Struct.new(:id, :parent, :began, keyword_init: true)

  # All that run on the machine. Fields are counted from behind the name, which is in brackets and
  # may hold anything.
  def processes
    Dir.glob("/proc/[0-9]*/stat").filter_map do |path|
      state, parent, *rest = File.read(path).rpartition(")").last.split
      next if state == "Z"

      Running.new(id: Integer(path[/\d+/]), parent: Integer(parent), began: rest[17])
    rescue SystemCallError
      nil
    end
  end

  # A process and all below it.
  def family(id)
    all = processes
    found = all.select { |process| process.id == id }
    found.each { |parent| found.concat(all.select { |process| process.parent == parent.id }) }
  end

  def wait_for(what)
    Timeout.timeout(PATIENCE, nil, "waiting until #{what}") { sleep 0.05 until yield }
  end

  def files_of_suite
    Dir.glob("#{SUITE}/**/*", File::FNM_DOTMATCH).sort.to_h { |path| [path, File.mtime(path)] }
  end

  BENCHMARKS = %w[rails_request_json rails_write crypto_cookie gc_pressure boot puma_http].freeze

  def test_a_quick_run_writes_all_that_the_contract_says
    before = files_of_suite
    # Options of the machine must not reach the measured processes; a new machine often has no
    # locale, and a folder that is gone may still be its PWD.
    stdout, stderr, status = run_suite(
      { benchmarks: BENCHMARKS, quick: true, min_seconds: 0.05, ruby_version: "system", vcpus: 2 },
      environment: { "RUBYOPT" => variants.include?("yjit") ? "--yjit" : nil,
                     "DATABASE_URL" => "sqlite3:/nowhere", "LC_ALL" => "C",
                     "PWD" => File.join(@folder, "gone") }
    )
    assert status.success?, stdout + stderr

    check_json
    check_csv
    check_extra
    check_progress
    variants.product(BENCHMARKS).each do |variant, benchmark|
      assert_match(/^#{benchmark}\s+#{variant}\s+median +\d/, stdout)
    end
    assert_equal before, files_of_suite, "the suite wrote into its own folder"
  end

  def check_json
    assert_equal variants, output["raw_data"].keys
    assert_equal variants, output["metadata"]["ruby_descriptions"].keys
    assert_match(/\A\d+\.\d+\.\d+/, output["metadata"]["rails_version"])
    assert_equal true, output["metadata"]["quick"]

    output["raw_data"].each do |variant, benchmarks|
      assert_equal BENCHMARKS, benchmarks.keys
      benchmarks.each do |benchmark, measurement|
        assert_equal %w[RUBY_DESCRIPTION bench extra iterations_per_sample rss warmup],
                     measurement.keys.sort
        assert_operator measurement["bench"].size, :>=, benchmark == "boot" ? 2 : 3
        assert_operator measurement["warmup"].size, :>=, 1
        (measurement["bench"] + measurement["warmup"]).each { |time| assert_operator time, :>, 0 }
        assert_operator measurement["rss"], :>, 10_000_000
        assert_operator measurement["iterations_per_sample"], :>=, 1
        assert_equal variant == "yjit", measurement["RUBY_DESCRIPTION"].include?("+YJIT"),
                     "#{benchmark} #{variant}"
        assert_equal output["metadata"]["ruby_descriptions"][variant],
                     measurement["RUBY_DESCRIPTION"]
      end
    end
  end

  def check_csv
    rows = CSV.read(File.join(@folder, "output", "output.csv"), headers: true)
    assert_equal %w[variant benchmark phase iteration seconds], rows.headers
    expected = output["raw_data"].flat_map do |variant, benchmarks|
      benchmarks.flat_map do |benchmark, measurement|
        %w[warmup bench].flat_map do |phase|
          measurement[phase].map.with_index(1) do |seconds, iteration|
            [variant, benchmark, phase, iteration, seconds]
          end
        end
      end
    end
    assert_equal expected, rows.map { |row| [*row.fields.first(3), Integer(row[3]), Float(row[4])] }
  end

  def check_extra
    output["raw_data"].each_value do |benchmarks|
      gc = benchmarks["gc_pressure"]["extra"]
      assert_equal %w[count gc_seconds major_gc_count minor_gc_count total_allocated_objects],
                   gc.keys.sort
      assert_operator gc["total_allocated_objects"], :>, 10_000
      assert_equal gc["count"], gc["minor_gc_count"] + gc["major_gc_count"]

      http = benchmarks["puma_http"]
      extra = http["extra"]
      assert_equal [2, 8], extra.values_at("workers", "clients")
      assert_equal http["bench"].size, extra["requests_per_second"].size
      http["bench"].zip(extra["requests_per_second"]).each do |seconds, rate|
        assert_in_delta 1.0, seconds * rate, 1e-9
      end
      percentiles = extra.values_at("p50_seconds", "p95_seconds", "p99_seconds")
      assert_equal percentiles.sort, percentiles
      assert_operator percentiles.first, :>, 0
    end
  end

  def check_progress
    told = progress_lines.select { |line| line.key?("benchmark") }
    pairs = BENCHMARKS.product(variants)
    expected = pairs.map.with_index do |(benchmark, variant), done|
      { "benchmark" => benchmark, "variant" => variant, "done" => done, "total" => pairs.size }
    end
    assert_equal expected, told
  end

  def test_an_unknown_benchmark_is_refused
    _, stderr, status = run_suite({ benchmarks: %w[rails_raed] })
    assert_equal 64, status.exitstatus
    assert_match(/railsbench: .*no benchmark rails_raed/, stderr)
    assert_empty Dir.children(File.join(@folder, "output"))
  end

  def test_a_missing_gem_is_named_with_the_way_to_get_it
    empty = File.join(@folder, "no_gems")
    Dir.mkdir(empty)
    _, stderr, status = run_suite({}, environment: { "GEM_HOME" => empty, "GEM_PATH" => empty })
    assert_equal 69, status.exitstatus
    assert_match(/lacks rails, sqlite3, puma/, stderr)
    assert_match(/apt-get install --no-install-recommends ruby-rails ruby-sqlite3 puma/, stderr)
    assert_match(/gem install rails sqlite3 puma/, stderr)
  end

  # What was measured before and after is kept.
  def test_a_wrong_result_fails_the_suite_and_is_named
    broken = File.join(@folder, "suite")
    FileUtils.cp_r(SUITE, broken)
    view = File.join(broken, "application", "app", "views", "books", "_book.html.erb")
    File.write(view, "<p><%= book.title %></p>")
    controller = File.join(broken, "application", "app", "controllers", "reports_controller.rb")
    File.write(controller, File.read(controller).sub("LineItem.includes", "LineItem.no_such"))

    stdout, stderr, status = run_suite(
      { benchmarks: %w[regex_route rails_request_html gc_pressure json_serialize], quick: true,
        min_seconds: 0.05 }, suite: broken
    )
    assert_equal 1, status.exitstatus, stdout + stderr
    variants.each do |variant|
      assert_match(/request_html \(#{variant}\): books on the page: expected 20, got 0/, stderr)
      assert_match(/gc_pressure \(#{variant}\): .*answered 500.*no_such/, stderr)
      assert_equal %w[json_serialize regex_route], output["raw_data"][variant].keys
    end
    assert progress_lines.any? { |line| line["message"]&.include?("rails_request_html") }
  end

  # Starts the suite on its largest family of processes, waits until that is complete, and returns
  # it, the driver first: driver, benchmark, Puma with two workers, and clients.
  def start_long_run
    id = Process.spawn(
      environment({ benchmarks: %w[puma_http], quick: true, min_seconds: 600, vcpus: 2 }),
      RbConfig.ruby, "run.rb", chdir: SUITE, pgroup: true, %i[out err] => File::NULL
    )
    family = []
    wait_for("all processes run") do
      family = family(id)
      refute_empty family, "the suite ended early"
      family.size >= 6
    end
    family
  end

  def test_a_signal_ends_all_processes
    # A shell starts what runs in the background with INT ignored, and the suite would inherit that.
    trap("INT", "DEFAULT")
    %i[TERM INT].each do |signal|
      family = start_long_run
      Process.kill(signal, family.first.id)
      _, status = Timeout.timeout(PATIENCE) { Process.wait2(family.first.id) }
      assert_equal 143, status.exitstatus
      assert_empty processes & family
      FileUtils.rm_rf(Dir.glob(File.join(@folder, "{scratch,output}", "*")))
    end
  end

  def test_no_process_outlives_a_driver_that_is_killed
    family = start_long_run
    Process.kill(:KILL, family.first.id)
    Process.wait(family.first.id)
    wait_for("no process is left") { (processes & family).empty? }
  end
end
